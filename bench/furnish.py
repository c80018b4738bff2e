"""BotMatrix with the features whose cost is measured, each set as an administrator of a big deployment would."""

from __future__ import annotations

import json
import random
import shutil
import string
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import redis
from tests.postgres import PostgresProcess

from bench.cases import BotMatrix
from bench.parts import Part, Valkey, botmatrix, free_port, wait_listening
from bench.routing import rules
from botmatrix.routing.rule import make_rule, mirrored

PREFIX = "botmatrix:"
MANY = 10_000
QUIET_SECONDS, QUIET_SHARE, QUIET_WITHIN = 1.0, 0.1, 60.0


def set_rules(client: redis.Redis) -> None:
    """9,000 exact rules and 1,000 wildcards, and one that every event of the load generator follows."""
    found = [*rules(random.Random(1)), make_rule("group_70000*", "pool:default", priority=9)]
    client.hset(PREFIX + "rules:routing", mapping={rule.key: mirrored(rule) for rule in found})
    client.set(PREFIX + "rules:version", 1)


def set_judge(client: redis.Redis) -> None:
    """Word lists and lists of people, groups and addresses, of ten thousand each."""
    rng = random.Random(2)
    words = sorted({"".join(rng.choices(string.ascii_lowercase, k=rng.randint(6, 12))) for _ in range(MANY)})
    ids = [str(rng.randrange(10**11, 10**12)) for _ in range(MANY)]
    document = {
        "permissions": {"blacklist": {"system": ids, "group": ids}, "whitelist": {"robot": ids[:100]}},
        "sensitive_words": {"system": {"plain": words}},
        "url_filter": {"blacklist": {"domain_suffix": [f"{word}.com" for word in words]}},
    }
    client.mset({PREFIX + "core:config": json.dumps(document), PREFIX + "core:version": 1})


def set_limits(client: redis.Redis) -> None:
    """So high that nobody meets one, so each event is counted for user, group and bot, in and out."""
    names = [f"{whose}_limit_per_min" for whose in ("user", "group", "bot")]
    names += ["send_bot_per_min", "send_target_per_min"]
    client.hset(PREFIX + "config:ratelimit", mapping=dict.fromkeys(names, 1_000_000))


def set_groups(client: redis.Redis) -> None:
    """A thousand groups in which one of several bots answers; the load generator's are not among them."""
    groups = {f"qq:{1000 + n}": {"policy": "one", "bots": ["qq:1", "qq:2"]} for n in range(1000)}
    client.mset({PREFIX + "groups:policies": json.dumps({"groups": groups}), PREFIX + "groups:version": 1})


def set_trace(client: redis.Redis) -> None:
    """Nothing: events are traced, as many as are kept. It is taken away where it is not wanted."""


FEATURES: dict[str, Callable[[redis.Redis], None]] = {
    "rules": set_rules,
    "judge": set_judge,
    "limits": set_limits,
    "groups": set_groups,
    "trace": set_trace,
}


def furnish(valkey: Valkey, features: Iterable[str]) -> None:
    """Set them, as control would have."""
    client = valkey.client()
    try:
        for name in features:
            FEATURES[name](client)
    finally:
        client.close()


class Furnished(BotMatrix):
    """With PostgreSQL and control beside it, whichever features are set."""

    def __init__(self, features: tuple[str, ...]) -> None:
        super().__init__()
        self._features = features
        self._data = Path()
        self.console = ""

    def furnish(self, valkey: Valkey) -> None:
        furnish(valkey, self._features)

    def command(self, part: str) -> list[str]:
        traced = part != "nexus" or "trace" in self._features
        return botmatrix(part) if traced else [sys.executable, "-m", "bench.untraced", part]

    def start(self) -> None:
        self._data = Path(tempfile.mkdtemp(prefix="bm-bench-postgres-"))
        self._postgres = PostgresProcess(self._data, durable=True)
        self._postgres.start()
        super().start()
        self._start_control()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._postgres.stop(kill=True)
        shutil.rmtree(self._data, ignore_errors=True)

    def _start_control(self) -> None:
        port, home = free_port(), self.folder / "home-control"
        self.console = f"http://127.0.0.1:{port}"
        home.mkdir(mode=0o700)
        own = {"DATABASE_URL": self._postgres.url(), "WEBUI_PORT": str(port), "BOTMATRIX_HOME": str(home)}
        control = self.add("control", botmatrix("control"), {**self.env, **own})
        wait_listening(control, port)
        _until_quiet(control)


def _until_quiet(part: Part) -> None:
    """At its start control imports what is set; that is no cost of an event."""
    deadline, used = time.monotonic() + QUIET_WITHIN, part.cpu()
    while time.monotonic() < deadline:
        time.sleep(QUIET_SECONDS)
        before, used = used, part.cpu()
        if used - before < QUIET_SHARE * QUIET_SECONDS:
            return
    raise RuntimeError(f"control is not done with what was set:\n{part.tail()}")

"""The routing rules in Redis: a hash that carries them from control to every nexus, and the number of its state."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

from botmatrix.bus.client import Client
from botmatrix.bus.connection import Argument
from botmatrix.bus.keys import Keys
from botmatrix.routing.rule import BadRule, Rule, mirrored, rule_of


class State(NamedTuple):
    """Which state the rules are in: `version` is None when Redis never had, or has lost, their number."""

    version: int | None
    size: int

    @property
    def is_lost(self) -> bool:
        """Whether Redis knows nothing of rules, not even that there are none."""
        return self.version is None and not self.size


class Mirror(NamedTuple):
    """What the hash holds: rules by key, and what is wrong with the fields that are none."""

    state: State
    rules: dict[str, Rule]
    problems: dict[str, str]


class RulesMirror:
    """Reads and writes the hash. Every method raises `EngineUnavailable` and `ReplyError`."""

    def __init__(self, client: Client, keys: Keys) -> None:
        self._client, self._keys = client, keys

    async def state(self) -> State:
        """Which state the rules are in; cheap."""
        k = self._keys
        version, count = await self._ask(("GET", k.rules_version), ("HLEN", k.rules))
        return State(_number(version), count)

    async def read(self) -> Mirror:
        """All rules. They are read in a thread: ten thousand of them take a while."""
        k = self._keys
        # The number first: a change between the two is then read again, never missed.
        version, flat = await self._ask(("GET", k.rules_version), ("HGETALL", k.rules))
        state = State(_number(version), len(flat) // 2)
        rules, problems = await asyncio.to_thread(_understand, flat)
        return Mirror(state, rules, problems)

    async def text(self) -> dict[str, str]:
        """The hash as it stands there."""
        (flat,) = await self._ask(("HGETALL", self._keys.rules))
        words = [part.decode(errors="replace") for part in flat]
        return dict(zip(words[::2], words[1::2], strict=True))

    async def write(self, saved: Iterable[Rule], deleted: Iterable[str]) -> int | None:
        """Change the hash and its number in one step and tell every nexus; the new number, None: nothing to do."""
        k = self._keys
        changes: list[tuple[Argument, ...]] = [("HSET", k.rules, rule.key, mirrored(rule)) for rule in saved]
        changes += [("HDEL", k.rules, key) for key in deleted]
        if not changes:
            return None
        nudge: tuple[Argument, ...] = ("PUBLISH", k.rules_changed, "changed")
        answers = await self._ask(("MULTI",), *changes, ("INCR", k.rules_version), nudge, ("EXEC",))
        return int(_whole(answers[-1])[-2])

    async def close(self) -> None:
        """End the connection."""
        await self._client.close()

    async def _ask(self, *commands: tuple[Argument, ...]) -> list[Any]:
        return _whole(await self._client.pipeline(*commands))


def _number(version: bytes | None) -> int | None:
    return int(version) if version is not None and version.isdigit() else None


def _whole(answers: list[Any]) -> list[Any]:
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return answers


def _understand(flat: list[bytes]) -> tuple[dict[str, Rule], dict[str, str]]:
    rules: dict[str, Rule] = {}
    problems: dict[str, str] = {}
    now = time.time()
    for name, value in zip(flat[::2], flat[1::2], strict=True):
        key = name.decode(errors="replace")
        try:
            rules[key] = rule_of(key, value, now)
        except BadRule as error:
            problems[key] = str(error)
    return rules, problems

"""`python -m tests.chaos.fleet`: old, switched-off and skilled workers together, calls and messages at once, kills.

Two old workers on sockets, two stream workers with the skill system off, two with it on. Exit code 1 when a call was
executed by anybody but the last two or by nobody, when a message got no answer, when the spread is off, or when an
old worker saw a `skill_call`. FULL=1 (or --full): 5,000 of each and 20 kills.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.conftest import ValkeyProcess
from tests.integration.test_skill_system import SkillMatrix
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

SKILLED, OFF = ("on1", "on2"), ("off1", "off2")
WINDOW = 50
"""Messages that may be without an answer at a time."""
PATIENCE = 90.0
"""Seconds for the last answers."""


class OldWorker(threading.Thread):
    """Answers each message by a passive reply, and knows nothing of skills."""

    def __init__(self, link: ClientConnection) -> None:
        super().__init__(daemon=True)
        self._link = link
        self.answered, self.strange = 0, 0
        self.start()

    def run(self) -> None:
        with suppress(ConnectionClosed):
            for frame in self._link:
                event = json.loads(frame)
                if event.get("post_type") != "message":
                    self.strange += "skill" in str(event.get("type"))
                    continue
                whose = {name: event[name] for name in ("self_id", "user_id", "echo")}
                self._link.send(json.dumps({"reply": f"re {event['message']}", **whose}))
                self.answered += 1


class Talker(threading.Thread):
    """A bot: says numbered messages of many people, and notes which were answered."""

    def __init__(self, link: ClientConnection) -> None:
        super().__init__(daemon=True)
        self._link, self._room = link, threading.Semaphore(WINDOW)
        self.answers: Counter[int] = Counter()
        self.heard: list[str] = []
        self._ids = itertools.count(1)
        self.start()

    def run(self) -> None:
        with suppress(ConnectionClosed):
            for frame in self._link:
                action = json.loads(frame)
                self._link.send(json.dumps({"status": "ok", "retcode": 0, "data": {}, "echo": action.get("echo")}))
                if action["action"].startswith("send_"):
                    self._note(action["params"]["message"])

    def say(self, count: int) -> None:
        """Numbered messages of many people."""
        for number in range(count):
            self._room.acquire(timeout=PATIENCE)
            self.ask(f"/echo {number}", 1000 + number % 200)

    def ask(self, text: str, user: int = 7) -> None:
        """One message of somebody."""
        event = {
            **{"post_type": "message", "message_type": "private", "sub_type": "friend", "self_id": 10001},
            **{"time": int(time.time()), "message_id": next(self._ids), "user_id": user},
            **{"message": text, "raw_message": text},
        }
        self._link.send(json.dumps(event))

    def _note(self, message: Any) -> None:
        text = message if isinstance(message, str) else "".join(one["data"].get("text", "") for one in message)
        self.heard.append(text)
        number = text.split()[-1] if text.split() else ""
        if number.isdecimal():
            self.answers[int(number)] += 1
            self._room.release()


def fleet(matrix: SkillMatrix, count: int, kills: int) -> dict[str, Any]:
    """Run it; what was found."""
    for name in ("nexus", "control", *SKILLED):
        matrix.begin(name, on=True)
    for name in OFF:
        matrix.begin(name, on=False)
    matrix.ready(6)
    matrix.log_in()
    matrix.until(lambda: True if sorted(matrix.skills()) == list(SKILLED) else None)
    matrix.client.timeout = 2 * PATIENCE
    with links(matrix) as (bot, old), ThreadPoolExecutor(24) as pool:
        talking = pool.submit(bot.say, count)
        calls = [pool.submit(_call, matrix) for _ in range(count)]
        for victim in itertools.islice(itertools.cycle((SKILLED[0], OFF[0], SKILLED[1], OFF[1])), kills):
            time.sleep(1.5)
            matrix.kill(victim)
            matrix.begin(victim, on=victim in SKILLED)
        talking.result()
        ended = [call.result() for call in calls]
        until = time.monotonic() + PATIENCE
        while len(bot.answers) < count and time.monotonic() < until:
            time.sleep(0.2)
        return {
            "calls": dict(Counter(one.get("status", str(one)) for one in ended)),
            "executed_by": dict(Counter(one.get("worker_id", "") for one in ended)),
            "answered": len(bot.answers),
            "answered_twice": sum(times > 1 for times in bot.answers.values()),
            "by_old_workers": [one.answered for one in old],
            "skill_calls_at_old_workers": sum(one.strange for one in old),
        }


def _call(matrix: SkillMatrix) -> dict[str, Any]:
    """One call; what is refused because an engine is too busy is called again, as the refusal says."""
    until = time.monotonic() + PATIENCE
    while True:
        found = matrix.call(params={"ms": 1}, timeout=120)
        if found.get("error") != "engine_unavailable" or time.monotonic() > until:
            return found
        time.sleep(0.2)


def promised(found: dict[str, Any], count: int, spread: float) -> list[str]:
    """The promises that were not held."""
    by, broken = found["executed_by"], []
    if found["calls"] != {"success": count}:
        broken.append(f"calls: {found['calls']}")
    if set(by) != set(SKILLED) or any(abs(times / count - 0.5) > spread for times in by.values()):
        broken.append(f"spread: {by}")
    if found["answered"] != count:
        broken.append(f"messages without an answer: {count - found['answered']}")
    if found["skill_calls_at_old_workers"]:
        broken.append("an old worker saw a skill_call")
    if not all(found["by_old_workers"]):
        broken.append("an old worker had nothing to do")
    return broken


@contextmanager
def links(matrix: SkillMatrix) -> Iterator[tuple[Talker, list[OldWorker]]]:
    """A bot and two old workers at the nexus."""
    url, tokens = f"ws://127.0.0.1:{matrix.ports[0]}", json.loads((matrix.home / "secrets.json").read_text())
    headers = {"X-Self-ID": "10001", "Authorization": f"Bearer {tokens['bot_token']}"}
    worker = {"Authorization": f"Bearer {tokens['worker_token']}"}
    with connect(f"{url}/onebot/v11/ws", additional_headers=headers, proxy=None) as bot:
        with (
            connect(f"{url}/ws/workers?worker_id=old1", additional_headers=worker, proxy=None) as one,
            connect(f"{url}/ws/workers?worker_id=old2", additional_headers=worker, proxy=None) as other,
        ):
            yield Talker(bot), [OldWorker(one), OldWorker(other)]


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.fleet", description=__doc__)
    parser.add_argument("--full", action="store_true", default=bool(os.environ.get("FULL")))
    count, kills = (5000, 20) if parser.parse_args().full else (500, 4)
    with tempfile.TemporaryDirectory() as place, engines(Path(place)) as matrix:
        found = fleet(matrix, count, kills)
    broken = promised(found, count, 0.05 if count == 5000 else 0.15)
    sys.stdout.write(json.dumps({**found, "kills": kills, "broken": broken}, indent=2) + "\n")
    return 1 if broken else 0


@contextmanager
def engines(place: Path) -> Iterator[SkillMatrix]:
    """A matrix on engines of its own."""
    from tests.postgres import PostgresProcess

    place.chmod(0o755)  # PostgreSQL does not run as root
    for name in ("valkey", "postgres", "home"):
        (place / name).mkdir()
    valkey, postgres = ValkeyProcess(place / "valkey"), PostgresProcess(place / "postgres")
    valkey.start()
    postgres.start()
    matrix = SkillMatrix(place / "home", valkey.url, postgres.url())
    try:
        yield matrix
    finally:
        matrix.redis.close()
        matrix.end()
        valkey.stop()
        postgres.stop()


if __name__ == "__main__":
    sys.exit(main())

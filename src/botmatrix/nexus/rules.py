"""The routing rules as this nexus follows them: read from Redis, looked at again when told and every few seconds."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import structlog

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.keys import Keys
from botmatrix.config import Home
from botmatrix.errors import EngineUnavailable
from botmatrix.routing.rule import BadRule, Rule, rule_of
from botmatrix.routing.table import Table

log = structlog.get_logger("rules")
POLL_SECONDS = 5.0


class Rules:
    """`table` is always whole: the newest rules that this nexus has read.

    A copy lies in `HOME/rules.json`, for a start while Redis is away. When Redis has neither rules nor a version it has
    lost them: the last ones stay until control has written them again. Counters: `rules_unreadable`.
    """

    def __init__(self, client: Client, keys: Keys, home: Home, *, poll: float = POLL_SECONDS) -> None:
        self._client, self._keys, self._home, self._poll = client, keys, home, poll
        self._version = b""
        self._nudge = asyncio.Event()
        self.table = Table()
        self.counters: Counter[str] = Counter()

    @property
    def copy(self) -> Path:
        """The file with the last good rules."""
        return self._home.root / "rules.json"

    def on_changed(self, _version: bytes) -> None:
        """Somebody changed the rules."""
        self._nudge.set()

    async def begin(self) -> None:
        """The rules of Redis; those of the copy while it is away."""
        try:
            await self.look()
        except (EngineUnavailable, ReplyError) as error:
            log.warning("routing rules are those of the last run", error=str(error))
        if not self._version:
            self._take_copy()

    async def run(self) -> None:
        """Look, again and again."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll):
                    await self._nudge.wait()
            self._nudge.clear()
            try:
                await self.look()
            except (EngineUnavailable, ReplyError) as error:
                log.debug("routing rules stay as they are", error=str(error))

    async def look(self) -> None:
        """Read the rules if they changed. Raises `EngineUnavailable`, `ReplyError`."""
        k = self._keys
        version, count = await self._answers(("GET", k.rules_version), ("HLEN", k.rules))
        if version is None and not count:
            return
        if self._name(version, count) == self._version:
            return
        version, flat = await self._answers(("GET", k.rules_version), ("HGETALL", k.rules))
        fields = dict(zip(flat[::2], flat[1::2], strict=True))
        rules, bad = await asyncio.to_thread(_read, fields)
        self.counters["rules_unreadable"] += len(bad)
        for key, problem in bad:
            log.error("a routing rule can't be read", key=key, problem=problem)
        self.table = await asyncio.to_thread(Table, rules)
        self._version = self._name(version, len(fields))
        log.info("routing rules are in force", rules=len(rules), version=self._version.decode())
        await asyncio.to_thread(self._keep_copy, rules)

    async def close(self) -> None:
        """End the connection."""
        await self._client.close()

    async def _answers(self, *commands: tuple[str, ...]) -> list[Any]:
        answers = await self._client.pipeline(*commands)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return answers

    @staticmethod
    def _name(version: bytes | None, count: int) -> bytes:
        """Rules that somebody wrote by hand have no version yet."""
        return version or b"unnumbered-%d" % count

    def _keep_copy(self, rules: list[Rule]) -> None:
        try:
            self._home.write_private(self.copy, msgspec.json.encode(rules).decode())
        except OSError as error:
            log.warning("no copy of the routing rules is kept", error=str(error))

    def _take_copy(self) -> None:
        try:
            rules = msgspec.json.decode(self.copy.read_bytes(), type=list[Rule])
        except FileNotFoundError:
            return
        except (OSError, msgspec.DecodeError) as error:
            log.error("the copy of the routing rules can't be read", error=str(error))
            return
        self.table = Table(rules)


def _read(fields: dict[bytes, bytes]) -> tuple[list[Rule], list[tuple[str, str]]]:
    rules, bad = [], []
    for name, value in fields.items():
        key = name.decode(errors="replace")
        try:
            rules.append(rule_of(key, value))
        except BadRule as error:
            bad.append((key, str(error)))
    return rules, bad

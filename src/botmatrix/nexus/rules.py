"""The routing rules as this nexus follows them: read from Redis, looked at again when told and every few seconds."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec
import structlog

from botmatrix.bus.client import ReplyError
from botmatrix.bus.nudge import Nudge
from botmatrix.bus.rules import RulesMirror, State
from botmatrix.config import Home
from botmatrix.errors import EngineUnavailable
from botmatrix.routing.rule import Rule
from botmatrix.routing.table import Table

log = structlog.get_logger("rules")
POLL_SECONDS = 5.0


class Rules:
    """`table` is always whole: the newest rules that this nexus has read.

    A copy lies in `HOME/rules.json`, for a start while Redis is away. When Redis has lost the rules, the last ones stay
    until control has written them again. Counters: `rules_unreadable`.
    """

    def __init__(self, mirror: RulesMirror, home: Home, *, poll: float = POLL_SECONDS) -> None:
        self._mirror, self._home = mirror, home
        self._state: State | None = None
        self._nudge = Nudge(poll)
        self.table = Table()
        self.counters: Counter[str] = Counter()

    @property
    def copy(self) -> Path:
        """The file with the last good rules."""
        return self._home.root / "rules.json"

    def on_changed(self, _body: bytes) -> None:
        """Somebody changed the rules."""
        self._nudge()

    async def begin(self) -> None:
        """The rules of Redis; those of the copy while it is away or has lost them."""
        try:
            await self.look()
        except (EngineUnavailable, ReplyError) as error:
            log.warning("Redis is away: routing rules are those of the last run", error=str(error))
        if self._state is None:
            self._take_copy()

    async def run(self) -> None:
        """Look, again and again."""
        while True:
            await self._nudge.wait()
            try:
                await self.look()
            except (EngineUnavailable, ReplyError) as error:
                log.debug("routing rules stay as they are", error=str(error))

    async def look(self) -> None:
        """Read the rules if they changed. Raises `EngineUnavailable`, `ReplyError`."""
        state = await self._mirror.state()
        if state.is_lost or state == self._state:
            return
        mirror = await self._mirror.read()
        self.counters["rules_unreadable"] += len(mirror.problems)
        for key, problem in mirror.problems.items():
            log.error("a routing rule can't be read", key=key[:100], problem=problem)
        rules = mirror.rules
        if self._state is not None and mirror.state.version == self._state.version:
            rules = {**self.table.rules, **rules}  # what is missing was removed by hand: control writes it again
        table = await asyncio.to_thread(Table, rules.values())
        await asyncio.to_thread(self._keep_copy, rules.values())
        self.table, self._state = table, mirror.state
        log.info("routing rules are in force", rules=len(rules), version=mirror.state.version)

    async def close(self) -> None:
        """End the connection."""
        await self._mirror.close()

    def _keep_copy(self, rules: Iterable[Rule]) -> None:
        try:
            self._home.write_private(self.copy, msgspec.json.encode(list(rules)).decode())
        except OSError as error:
            log.warning("no copy of the routing rules is kept", error=str(error))

    def _take_copy(self) -> None:
        try:
            rules = msgspec.json.decode(self.copy.read_bytes(), type=list[Rule])
        except FileNotFoundError:
            return
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            log.error("the copy of the routing rules can't be read", error=str(error))
            return
        self.table = Table(rules)

"""Calls on lanes. Most end within milliseconds: of those PostgreSQL need not be told first that they are running."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import structlog

from botmatrix.errors import EngineUnavailable
from botmatrix.store.executions import Executions, Sent

log = structlog.get_logger("nexus.skills")
MOMENT = 0.05
"""Seconds between two looks. A call that was there at the last one is said to be running."""


class Underway:
    """What this nexus put on lanes. One that dies before it said so loses nothing: a result ends what is dispatched."""

    def __init__(self, executions: Executions) -> None:
        self._executions = executions
        self._new: dict[str, Sent] = {}
        self._known: dict[str, Sent] = {}
        self._any = asyncio.Event()

    def put(self, sent: Iterable[Sent]) -> None:
        """These are on a lane."""
        self._new.update((one.execution_id, one) for one in sent)
        self._any.set()

    def ended(self, executions: Iterable[str]) -> None:
        """These have ended."""
        for id in executions:
            self._new.pop(id, None)
            self._known.pop(id, None)

    async def run(self) -> None:
        """Say what is running; until cancelled."""
        while True:
            await self._any.wait()
            await asyncio.sleep(MOMENT)
            try:
                await self.look()
            except EngineUnavailable as error:
                log.debug("nobody is told what runs", error=str(error))
                await asyncio.sleep(0.5)

    async def look(self) -> None:
        """One round. Raises `EngineUnavailable`; what was to be said then waits for the next."""
        late, self._known, self._new = self._known, self._new, {}
        if late:
            try:
                await self._executions.running(list(late.values()))
            except EngineUnavailable:
                self._known.update(late)
                raise
        if not self._known and not self._new:
            self._any.clear()

"""Forgets what has been kept long enough: the operation log, after `audit_days`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from botmatrix.errors import EngineUnavailable
from botmatrix.store.operations import Operations

EVERY: Final = 3600.0
BATCH: Final = 5000
"""Rows of one transaction."""

log = structlog.get_logger(__name__)


class Retention:
    """Every control process does it; what one has dropped the others do not find."""

    def __init__(self, operations: Operations, days: int) -> None:
        self._operations, self._days = operations, days

    async def run(self) -> None:
        """Once an hour."""
        while True:
            try:
                await self.sweep()
            except EngineUnavailable as error:
                log.debug("the operation log is not shortened now", reason=str(error))
            await asyncio.sleep(EVERY)

    async def sweep(self) -> int:
        """Drop what is too old; says how many rows. Raises `EngineUnavailable`."""
        before, dropped = datetime.now(UTC) - timedelta(days=self._days), 0
        while True:
            gone = await self._operations.forget(before, most=BATCH)
            dropped += gone
            if gone < BATCH:
                return dropped

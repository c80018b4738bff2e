"""What a worker with the skill system on reports of its skills: on the channel, at its start and every 30 seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import msgspec
import structlog

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.keys import Keys
from botmatrix.errors import EngineUnavailable
from botmatrix.skills.model import Capability

log = structlog.get_logger("worker.skills")
EVERY = 30.0


class Registration(msgspec.Struct):
    """One report. `timestamp`: unix s."""

    worker_id: str
    capabilities: list[Capability]
    timestamp: int
    type: str = "worker_register"


class Registrar:
    """Reports `capabilities()`. A report that nobody hears is no loss: the presence says the same."""

    def __init__(self, worker_id: str, redis: Client, keys: Keys, capabilities: Callable[[], list[Capability]]) -> None:
        self._id, self._redis, self._channel = worker_id, redis, keys.worker_register
        self._capabilities = capabilities

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            body = msgspec.json.encode(Registration(self._id, self._capabilities(), int(time.time())))
            try:
                await self._redis.call("PUBLISH", self._channel, body)
            except (EngineUnavailable, ReplyError) as error:
                log.debug("capabilities are not reported", error=str(error))
            await asyncio.sleep(EVERY)

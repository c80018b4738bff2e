"""Accepted events for whoever listens on `botmatrix:events`: lossy, and free while nobody does."""

from __future__ import annotations

import asyncio
from collections import Counter

import structlog

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.keys import Keys
from botmatrix.errors import EngineUnavailable

log = structlog.get_logger("live")
EVERY = 0.05
ASK_SECONDS = 1.0
MOST = 256
"""Events in one round of `EVERY` s; the rest is left out and counted: a slow listener must not slow a bot."""


class Live:
    """Publishes envelopes while somebody is subscribed."""

    def __init__(self, client: Client, keys: Keys) -> None:
        self._client, self._channel = client, keys.events
        self._batch: list[bytes] = []
        self.listened = False
        self.counters: Counter[str] = Counter()

    def publish(self, payload: bytes) -> None:
        """Tell the listeners of an event; to be called only while `listened`."""
        if len(self._batch) < MOST:
            self._batch.append(payload)
        else:
            self.counters["live_left_out"] += 1

    async def run(self) -> None:
        """Ask once a second whether somebody listens; send while somebody does."""
        while True:
            try:
                self.listened = await self._somebody_listens()
                for _ in range(round(ASK_SECONDS / EVERY) if self.listened else 0):
                    await self._send()
                    await asyncio.sleep(EVERY)
            except (EngineUnavailable, ReplyError) as error:
                self.listened = False
                log.debug("no live events", error=str(error))
            if not self.listened:
                self._batch.clear()
                await asyncio.sleep(ASK_SECONDS)

    async def _somebody_listens(self) -> bool:
        answer = await self._client.call("PUBSUB", "NUMSUB", self._channel)
        return int(answer[1]) > 0

    async def _send(self) -> None:
        batch, self._batch = self._batch, []
        if batch:
            await self._client.pipeline(*(("PUBLISH", self._channel, payload) for payload in batch))

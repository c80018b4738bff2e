"""Takes ended actions off the stream, all that ended while the last call was under way in the next."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from botmatrix.bus.actions import KEEP_SECONDS
from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.envelope import ActionEntry
from botmatrix.bus.keys import Keys
from botmatrix.bus.scripts import FINISH
from botmatrix.errors import EngineUnavailable
from botmatrix.onebot.action import ActionResponse

log = structlog.get_logger("actions")
GROUP = 256
FIELDS = 7  # of an action in finish.lua


class Endings:
    """The actions of one stream that were read: `held` are the entry ids that are not taken off yet."""

    def __init__(self, client: Client, keys: Keys, inc: str) -> None:
        self._client, self._keys, self._stream = client, keys, keys.actions(inc)
        self._done: list[bytes] = []
        self._told: list[Any] = []
        self._late: list[tuple[str, ActionResponse]] = []
        self._wake = asyncio.Event()
        self.held: set[bytes] = set()

    def done(self, entry_id: bytes) -> None:
        """It was done and nobody waits for the result."""
        self._done.append(entry_id)
        self._wake.set()

    def tell(self, entry_id: bytes, action: ActionEntry, state: str, retcode: int, message: str, data: bytes) -> None:
        """It ended otherwise, or somebody waits: keep the state, and the result for who waits."""
        kept = data if action.reply_to else b"null"
        self._told += (entry_id, action.aid, action.reply_to, state, retcode, message, kept)
        self._wake.set()

    def correct(self, aid: str, response: ActionResponse) -> None:
        """It was UNKNOWN, and the bot's answer came after all."""
        self._late.append((aid, response))
        self._wake.set()

    async def run(self) -> None:
        """Flush whenever something has ended."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.flush()

    async def flush(self) -> None:
        """Finish everything that has ended, for as long as it takes."""
        while self._done or self._told:
            done, self._done = self._done[:GROUP], self._done[GROUP:]
            told, self._told = self._told[: FIELDS * GROUP], self._told[FIELDS * GROUP :]
            try:
                await self._finish(done, told)
                self.held.difference_update(done, told[::FIELDS])
            except EngineUnavailable:
                self._done, self._told = done + self._done, told + self._told
                await asyncio.sleep(0.1)
            except ReplyError as error:
                self._done, self._told = done + self._done, told + self._told
                log.error("ended actions can't be taken off", error=str(error))
                await asyncio.sleep(1.0)
        if self._late:
            await self._flush_late()

    async def _finish(self, done: list[bytes], told: list[Any]) -> None:
        k = self._keys
        await self._client.run(FINISH, [self._stream, k.stats], k.prefix, KEEP_SECONDS, len(done), *done, *told)

    async def _flush_late(self) -> None:
        late, self._late = self._late, []
        commands = []
        for aid, response in late:
            data, code = bytes(response.data), response.retcode
            commands.append(("HSET", self._keys.act(aid), "state", "DONE", "retcode", code, "data", data))
        try:
            await self._client.pipeline(*commands)
        except EngineUnavailable as error:
            log.warning("late answers were not kept: their actions stay UNKNOWN", count=len(late), error=str(error))

"""Takes actions to a bot's HTTP API and brings the answers back as the frames that a WebSocket would carry."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from botmatrix.config.settings import HttpBot
from botmatrix.http_api import HttpApi

AT_ONCE: Final = 16
"""Actions of one bot that are under way at the same time."""


class Frame(Struct, gc=False):
    """An action as `request_frame` writes it."""

    action: str
    params: Raw
    echo: str


class _Target(Struct):
    """What says to which conversation an action belongs."""

    group_id: Any = None
    user_id: Any = None


decode_frame = msgspec.json.Decoder(Frame).decode
_decode_target = msgspec.json.Decoder(_Target).decode


class Courier:
    """Actions of one conversation go one after another, in order; those of different ones side by side.

    `on_answer` gets each answer with the action's echo. An action for which nobody `waits` any more is not sent.
    """

    def __init__(
        self, bot: HttpBot, max_size: int, waits: Callable[[str], bool], on_answer: Callable[[bytes], None]
    ) -> None:
        self._api = HttpApi(bot, max_size, AT_ONCE)
        self._waits, self._on_answer = waits, on_answer
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._queues: dict[str, deque[Frame]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, frame: Frame) -> None:
        """Post it as soon as it is its turn."""
        lane = _lane(frame)
        if lane in self._queues:
            self._queues[lane].append(frame)
            return
        self._queues[lane] = deque([frame])
        task = asyncio.create_task(self._drain(lane), name="actions over HTTP")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def ask(self, action: str) -> bytes:
        """The answer to an action without parameters, whatever it is; not for workers."""
        return await self._api.ask(action, b"{}", "")

    async def close(self) -> None:
        """Give up what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._api.close()

    async def _drain(self, lane: str) -> None:
        queue = self._queues[lane]
        try:
            while queue:
                frame = queue.popleft()
                async with self._slots:
                    if self._waits(frame.echo):
                        self._on_answer(await self._api.ask(frame.action, bytes(frame.params), frame.echo))
        finally:
            del self._queues[lane]


def _lane(frame: Frame) -> str:
    """The conversation that the action is for; one of its own for an action that is for none."""
    try:
        target = _decode_target(frame.params)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return frame.echo
    if target.group_id is None and target.user_id is None:
        return frame.echo
    return f"{target.group_id or ''} {'' if target.group_id else target.user_id}"

"""Takes actions to a bot's HTTP API and brings the answers back as the frames that a WebSocket would carry."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import httpx
import msgspec
from msgspec import Raw, Struct

from botmatrix.config.settings import HttpBot
from botmatrix.onebot.serving import BAD_REQUEST, NO_BOT, failure_frame

TIMEOUT: Final = 30.0
CONNECT_TIMEOUT: Final = 5.0
AT_ONCE: Final = 16
"""Actions of one bot that are under way at the same time."""
NO_RESULT: Final = 1200
"""The action may have been done: the bot took it, and its answer never came."""
FORBIDDEN: Final = 1403
UNREACHABLE: Final = 1503

_ACTION: Final = re.compile(r"\.?[A-Za-z0-9_\-]{1,128}")


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
_decode_answer = msgspec.json.Decoder(dict[str, Raw]).decode


class Courier:
    """Actions of one conversation go one after another, in order; those of different ones side by side.

    `on_answer` gets each answer with the action's echo. An action for which nobody `waits` any more is not sent.
    """

    def __init__(
        self, bot: HttpBot, max_size: int, waits: Callable[[str], bool], on_answer: Callable[[bytes], None]
    ) -> None:
        self._url, self._max_size = bot.http, max_size
        self._waits, self._on_answer = waits, on_answer
        headers = {"User-Agent": "OneBot/11 BotMatrix"}
        headers |= {"Authorization": f"Bearer {bot.token}"} if bot.token else {}
        self._client = httpx.AsyncClient(
            headers=headers,
            timeout=httpx.Timeout(TIMEOUT, connect=CONNECT_TIMEOUT),
            limits=httpx.Limits(max_connections=AT_ONCE + 1, max_keepalive_connections=AT_ONCE),
            trust_env=False,
        )
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
        return await self._post(Frame(action, Raw(b"{}"), ""))

    async def close(self) -> None:
        """Give up what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    async def _drain(self, lane: str) -> None:
        queue = self._queues[lane]
        try:
            while queue:
                frame = queue.popleft()
                async with self._slots:
                    if self._waits(frame.echo):
                        self._on_answer(await self._post(frame))
        finally:
            del self._queues[lane]

    async def _post(self, frame: Frame) -> bytes:
        """The bot's answer, or what became of the action. Never raises for what a server does."""
        if not _ACTION.fullmatch(frame.action):
            return _failure(frame, NO_BOT, "there is no action of this name")
        try:
            async with asyncio.timeout(TIMEOUT):
                status, body = await self._exchange(frame)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            return _failure(frame, UNREACHABLE, "the bot's HTTP API can't be reached")
        except (httpx.HTTPError, TimeoutError) as error:
            return _failure(frame, NO_RESULT, f"the bot's HTTP API did not answer ({type(error).__name__})")
        return _answer(frame, status, body)

    async def _exchange(self, frame: Frame) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json"}
        url, content = f"{self._url}/{frame.action}", bytes(frame.params) or b"{}"
        async with self._client.stream("POST", url, content=content, headers=headers) as response:
            body = bytearray()
            async for part in response.aiter_bytes():
                body += part
                if len(body) > self._max_size:
                    raise httpx.DecodingError("the answer is too long")
            return response.status_code, bytes(body)


def _lane(frame: Frame) -> str:
    """The conversation that the action is for; one of its own for an action that is for none."""
    try:
        target = _decode_target(frame.params)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return frame.echo
    if target.group_id is None and target.user_id is None:
        return frame.echo
    return f"{target.group_id or ''} {'' if target.group_id else target.user_id}"


def _answer(frame: Frame, status: int, body: bytes) -> bytes:
    try:
        fields = _decode_answer(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        fields = {}
    if "retcode" in fields or "status" in fields:
        fields["echo"] = Raw(msgspec.json.encode(frame.echo))
        return msgspec.json.encode(fields)
    return _failure(frame, *_by_status(status))


def _by_status(status: int) -> tuple[int, str]:
    """Retcode and words for an answer that is none of OneBot's."""
    if status in (401, 403):
        return FORBIDDEN, f"the bot's HTTP API refuses the token (HTTP {status})"
    if status == 404:
        return NO_BOT, "the bot's HTTP API has no such action (HTTP 404)"
    if 400 <= status < 500:
        return BAD_REQUEST, f"the bot's HTTP API refuses the action (HTTP {status})"
    return NO_RESULT, f"the bot's HTTP API gave no OneBot answer (HTTP {status})"


def _failure(frame: Frame, retcode: int, words: str) -> bytes:
    return failure_frame(retcode, words, msgspec.json.encode(frame.echo))

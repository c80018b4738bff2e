"""A bot's HTTP API (OneBot v11), asked for one action at a time."""

from __future__ import annotations

import asyncio
import re
from typing import Final

import httpx
import msgspec
from msgspec import Raw

from botmatrix.config.settings import HttpBot
from botmatrix.onebot.serving import BAD_REQUEST, NO_BOT, failure_frame

TIMEOUT: Final = 30.0
CONNECT_TIMEOUT: Final = 5.0
NO_RESULT: Final = 1200
"""The action may have been done: the bot took it, and its answer never came."""
FORBIDDEN: Final = 1403
UNREACHABLE: Final = 1503

_ACTION: Final = re.compile(r"\.?[A-Za-z0-9_\-]{1,128}")
_decode_answer = msgspec.json.Decoder(dict[str, Raw]).decode


class HttpApi:
    """`max_size`: bytes of an answer. `at_once`: connections."""

    def __init__(self, bot: HttpBot, max_size: int, at_once: int) -> None:
        self._url, self._max_size = bot.http, max_size
        headers = {"User-Agent": "OneBot/11 BotMatrix"}
        headers |= {"Authorization": f"Bearer {bot.token}"} if bot.token else {}
        self._client = httpx.AsyncClient(
            headers=headers,
            timeout=httpx.Timeout(TIMEOUT, connect=CONNECT_TIMEOUT),
            limits=httpx.Limits(max_connections=at_once + 1, max_keepalive_connections=at_once),
            trust_env=False,
        )

    async def ask(self, action: str, params: bytes, echo: str) -> bytes:
        """The answer with this echo, as a WebSocket would carry it. Never raises for what a server does: then the
        answer says what became of the action.
        """
        quoted = msgspec.json.encode(echo)
        if not _ACTION.fullmatch(action):
            return failure_frame(NO_BOT, "there is no action of this name", quoted)
        try:
            async with asyncio.timeout(TIMEOUT):
                status, body = await self._exchange(action, params)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            return failure_frame(UNREACHABLE, "the bot's HTTP API can't be reached", quoted)
        except (httpx.HTTPError, TimeoutError) as error:
            return failure_frame(NO_RESULT, f"the bot's HTTP API did not answer ({type(error).__name__})", quoted)
        return _answer(quoted, status, body)

    async def close(self) -> None:
        """End the connections."""
        await self._client.aclose()

    async def _exchange(self, action: str, params: bytes) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json"}
        url, content = f"{self._url}/{action}", params or b"{}"
        async with self._client.stream("POST", url, content=content, headers=headers) as response:
            body = bytearray()
            async for part in response.aiter_bytes():
                body += part
                if len(body) > self._max_size:
                    raise httpx.DecodingError("the answer is too long")
            return response.status_code, bytes(body)


def _answer(echo: bytes, status: int, body: bytes) -> bytes:
    try:
        body.decode()
        fields = _decode_answer(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        fields = {}
    if "retcode" in fields or "status" in fields:
        fields["echo"] = Raw(echo)
        return msgspec.json.encode(fields)
    return failure_frame(*_by_status(status), echo)


def _by_status(status: int) -> tuple[int, str]:
    """Retcode and words for an answer that is none of OneBot's."""
    if status in (401, 403):
        return FORBIDDEN, f"the bot's HTTP API refuses the token (HTTP {status})"
    if status == 404:
        return NO_BOT, "the bot's HTTP API has no such action (HTTP 404)"
    if 400 <= status < 500:
        return BAD_REQUEST, f"the bot's HTTP API refuses the action (HTTP {status})"
    return NO_RESULT, f"the bot's HTTP API gave no OneBot answer (HTTP {status})"

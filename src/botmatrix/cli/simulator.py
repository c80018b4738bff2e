"""A OneBot v11 client whose chat is the terminal."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, TextIO

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from botmatrix.errors import BotMatrixError

HEARTBEAT = 15.0
LINGER = 0.3
"""Seconds after an answer in which further messages still belong to it."""
_SENDS = {"send_msg", "send_private_msg", "send_group_msg"}


class SimulatedBot:
    """One link to the gateway. `incoming` holds the texts that the matrix sent, in their order."""

    def __init__(self, url: str, token: str, *, self_id: int, user_id: int, group_id: int) -> None:
        self._url, self._token = url, token
        self.self_id, self._user_id, self._group_id = self_id, user_id, group_id
        self.incoming: asyncio.Queue[str] = asyncio.Queue()
        self._message_id = 0

    @contextlib.asynccontextmanager
    async def online(self) -> AsyncIterator[ClientConnection]:
        """A link that answers actions until the block ends. Raises `BotMatrixError` in words."""
        headers = {"X-Self-ID": str(self.self_id), "X-Client-Role": "Universal"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            link = await connect(self._url, additional_headers=headers, proxy=None, max_size=None)
        except InvalidStatus as error:
            raise BotMatrixError(_refusal(error.response.status_code, error.response.body)) from error
        except InvalidURI as error:
            wanted = "ws://127.0.0.1:3001/onebot/v11/ws"
            raise BotMatrixError(f"{self._url} is not the address of a gateway: expected one like {wanted}") from error
        except (OSError, InvalidHandshake, TimeoutError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise BotMatrixError(f"no gateway answers at {self._url} ({reason}): is `botmatrix up` running?") from error
        async with link:
            await self._send(link, post_type="meta_event", meta_event_type="lifecycle", sub_type="connect")
            tasks = [asyncio.create_task(self._listen(link)), asyncio.create_task(self._beat(link))]
            try:
                yield link
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def say(self, link: ClientConnection, text: str) -> None:
        """The person says something."""
        self._message_id += 1
        group = {"group_id": self._group_id, "sub_type": "normal"} if self._group_id else {"sub_type": "friend"}
        await self._send(
            link,
            post_type="message",
            message_type="group" if self._group_id else "private",
            message_id=self._message_id,
            user_id=self._user_id,
            message=[{"type": "text", "data": {"text": text}}],
            raw_message=text,
            font=0,
            sender={"user_id": self._user_id, "nickname": "you"},
            **group,
        )

    async def _send(self, link: ClientConnection, **event: Any) -> None:
        frame = {"time": int(time.time()), "self_id": self.self_id, **event}
        await link.send(json.dumps(frame, ensure_ascii=False))

    async def _beat(self, link: ClientConnection) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT)
            beat = {"status": {"online": True, "good": True}, "interval": int(HEARTBEAT * 1000)}
            await self._send(link, post_type="meta_event", meta_event_type="heartbeat", **beat)

    async def _listen(self, link: ClientConnection) -> None:
        async for frame in link:
            request = json.loads(frame)
            if isinstance(request, dict) and "action" in request:
                await link.send(json.dumps(self._perform(request), ensure_ascii=False))

    def _perform(self, request: dict[str, Any]) -> dict[str, Any]:
        action = str(request["action"]).removesuffix("_async").removesuffix("_rate_limited")
        params = request.get("params") or {}
        data: Any = self._answers(action)
        if action in _SENDS:
            self._message_id += 1
            self.incoming.put_nowait(plain(params.get("message", "")))
            data = {"message_id": self._message_id}
        found = data is not None
        answer = {"status": "ok" if found else "failed", "retcode": 0 if found else 1404, "data": data}
        return {**answer, "echo": request["echo"]} if "echo" in request else answer

    def _answers(self, action: str) -> Any:
        return {
            "get_login_info": {"user_id": self.self_id, "nickname": "sim"},
            "get_status": {"online": True, "good": True},
            "get_version_info": {"app_name": "botmatrix-sim", "app_version": "1", "protocol_version": "v11"},
            "get_friend_list": [{"user_id": self._user_id, "nickname": "you", "remark": ""}],
            "get_group_list": [{"group_id": self._group_id, "group_name": "sim"}] if self._group_id else [],
        }.get(action)


class Conversation:
    """Lines in, answers out."""

    def __init__(
        self,
        bot: SimulatedBot,
        say: Callable[[str], None],
        *,
        timeout: float,
        once: bool,
        lines: TextIO | None = None,
    ) -> None:
        self._bot, self._say, self._timeout, self._once = bot, say, timeout, once
        self._lines = lines or sys.stdin

    async def run(self) -> None:
        """Until the input or the link ends. Raises `BotMatrixError`: refused, no answer in time."""
        async with self._bot.online() as link:
            try:
                if self._once:
                    await self._ask_each(link)
                else:
                    await self._chat(link)
            except ConnectionClosed as error:
                reason = error.rcvd.reason if error.rcvd else ""
                raise BotMatrixError(f"the gateway ended the connection {reason}".rstrip()) from error

    async def _ask_each(self, link: ClientConnection) -> None:
        async for line in read_lines(self._lines):
            await self._bot.say(link, line)
            try:
                self._say(await asyncio.wait_for(self._bot.incoming.get(), self._timeout))
            except TimeoutError:
                raise BotMatrixError(_silence(line, self._timeout)) from None
            await self._rest()

    async def _rest(self) -> None:
        with contextlib.suppress(TimeoutError):
            while True:
                self._say(await asyncio.wait_for(self._bot.incoming.get(), LINGER))

    async def _chat(self, link: ClientConnection) -> None:
        printing = asyncio.create_task(self._print())
        closed = asyncio.create_task(link.wait_closed())
        talking = asyncio.create_task(self._talk(link))
        try:
            await asyncio.wait({talking, closed}, return_when=asyncio.FIRST_COMPLETED)
            if closed.done():
                raise BotMatrixError(f"the gateway ended the connection: {link.close_reason or link.close_code}")
            await talking
        finally:
            for task in (printing, closed, talking):
                task.cancel()
            await asyncio.gather(printing, closed, talking, return_exceptions=True)

    async def _talk(self, link: ClientConnection) -> None:
        if self._lines.isatty():
            self._say(f"You talk to the matrix through bot {self._bot.self_id}. Try /help. Ctrl-D ends it.")
        async for line in read_lines(self._lines):
            await self._bot.say(link, line)
        if not self._lines.isatty():
            await asyncio.sleep(min(self._timeout, 2.0))

    async def _print(self) -> None:
        while True:
            self._say(await self._bot.incoming.get())


async def read_lines(source: TextIO) -> AsyncIterator[str]:
    """Lines that are not blank, read in a thread: a terminal and a file can't be polled alike."""
    queue: asyncio.Queue[str | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def pump() -> None:
        with contextlib.suppress(RuntimeError, ValueError, OSError):  # the loop has ended meanwhile
            for line in source:
                loop.call_soon_threadsafe(queue.put_nowait, line.rstrip("\r\n"))
            loop.call_soon_threadsafe(queue.put_nowait, None)

    threading.Thread(target=pump, name="stdin", daemon=True).start()
    while (line := await queue.get()) is not None:
        if line.strip():
            yield line


def plain(message: Any) -> str:
    """A message as text: a CQ string as it is, segments by their content or kind. Safe for a terminal."""
    if isinstance(message, dict):
        message = [message]
    if isinstance(message, list):
        message = "".join(_segment(segment) for segment in message)
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in str(message))


def _segment(segment: Any) -> str:
    if not isinstance(segment, dict):
        return str(segment)
    kind, data = str(segment.get("type")), segment.get("data") or {}
    if kind == "text":
        return str(data.get("text", ""))
    return f"@{data.get('qq')} " if kind == "at" else f"[{kind}]"


def _refusal(status: int, body: bytes | bytearray | None) -> str:
    words = {
        401: "the gateway wants a token: give --token",
        403: "the gateway refused the token: is it bot_token of that gateway (`botmatrix up` prints it)?",
    }
    said = (body or b"").decode(errors="replace").strip()[:200]
    return words.get(status) or f"the gateway refused the connection: {status} {said}".rstrip()


def _silence(line: str, timeout: float) -> str:
    return (
        f"no answer to {line!r} in {timeout:g} s: does a worker run (`botmatrix worker list`), "
        "and does a plugin answer this (/help lists them)? What went wrong is in logs/botmatrix.log"
    )

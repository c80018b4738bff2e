"""The link of a simulated bot to the gateway: a OneBot v11 client like any other."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from botmatrix.control.chat.cast import PLATFORM, Cast
from botmatrix.errors import BotMatrixError
from botmatrix.onebot.serving import heartbeat_frame, lifecycle_frame

BEAT_EVERY: Final = 15.0
PATIENCE: Final = 10.0


class NoLink(BotMatrixError):
    """The gateway can't be reached, or refuses the simulated bot: says which, and what helps."""


@contextlib.asynccontextmanager
async def linked(url: str, token: str, cast: Cast) -> AsyncIterator[ClientConnection]:
    """A link of the bot of this cast, with heartbeats, until the block ends. Raises `NoLink`.

    The token goes into a header and nowhere else.
    """
    headers = {"X-Self-ID": str(cast.bot), "X-Platform": PLATFORM, "X-Client-Role": "Universal"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    agent = "BotMatrix-console"
    try:
        link = await connect(
            url, additional_headers=headers, user_agent_header=agent, proxy=None, max_size=None, open_timeout=PATIENCE
        )
    except InvalidStatus as error:
        raise NoLink(f"the gateway refused the simulated bot {cast.key}: {_said(error)}") from error
    except (OSError, InvalidHandshake, TimeoutError) as error:
        raise NoLink(
            f"no gateway answers at {url}: is a nexus running, and are gateway_host and ws_port of this control process"
            " those of the gateway?"
        ) from error
    async with link:
        beating = asyncio.create_task(_beat(link, str(cast.bot)), name="beat")
        try:
            yield link
        finally:
            beating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beating


async def _beat(link: ClientConnection, self_id: str) -> None:
    with contextlib.suppress(ConnectionClosed):
        await link.send(lifecycle_frame(self_id, time.time()), text=True)
        while True:
            await asyncio.sleep(BEAT_EVERY)
            await link.send(
                heartbeat_frame(self_id, time.time(), online=True, good=True, interval=BEAT_EVERY), text=True
            )


def _said(error: InvalidStatus) -> str:
    body = (error.response.body or b"").decode(errors="replace").strip()[:300]
    return f"{error.response.status_code} {body}".rstrip()

"""Settings of the database that a running nexus takes over: who may come in, and whom it calls."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.integration.nexus.scene import KEYS, Scene
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import InvalidStatus

from botmatrix.bus.settings import SettingsBox
from botmatrix.config import Stored
from botmatrix.nexus.app import Nexus


class HotScene(Scene):
    """Nexuses, and the control plane's pen."""

    async def publish(self, nexus: Nexus, **values: Any) -> float:
        """Put settings in the place of those before; how long it took until the nexus went by them."""
        box, before, started = SettingsBox(self.client, KEYS), nexus.current.running, time.monotonic()
        published = await box.read()
        assert await box.publish(Stored(values).document(), expected=published.version if published else "")
        async with asyncio.timeout(10):
            while nexus.current.running is before:
                await asyncio.sleep(0.005)
        return time.monotonic() - started


@pytest.fixture
async def scene(redis_url: str, home: Path) -> AsyncIterator[HotScene]:
    async with AsyncExitStack() as stack:
        scene = HotScene(redis_url, home, stack)
        stack.push_async_callback(scene.client.close)
        stack.push_async_callback(scene.lanes.close)
        yield scene


async def knock(nexus: Nexus, token: str) -> int:
    """How the gateway answers an application with this token."""
    url = f"ws://127.0.0.1:{nexus.gateway.port}/onebot/v11/app/10001"
    try:
        async with connect(url, additional_headers={"Authorization": f"Bearer {token}"}, proxy=None):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


async def test_a_new_worker_token_opens_and_the_old_one_does_not(scene: HotScene) -> None:
    nexus = await scene.nexus()
    old = str(nexus.settings.worker_token)
    assert (await knock(nexus, old), await knock(nexus, "a-new-worker-token")) == (101, 403)
    assert await scene.publish(nexus, worker_token="a-new-worker-token") < 3
    assert (await knock(nexus, old), await knock(nexus, "a-new-worker-token")) == (403, 101)


async def test_an_application_is_dialled_when_it_is_written_down_and_hung_up_when_it_is_not(scene: HotScene) -> None:
    nexus = await scene.nexus()
    await scene.bot(nexus)
    came: asyncio.Queue[ServerConnection] = asyncio.Queue()

    async def application(link: ServerConnection) -> None:
        await came.put(link)
        await link.wait_closed()

    async with serve(application, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        app = {"name": "nb", "url": f"ws://127.0.0.1:{port}/ws", "token": "its-token"}
        await scene.publish(nexus, onebot_apps=[app])
        async with asyncio.timeout(10):
            link = await came.get()
            assert link.request is not None
            headers = link.request.headers
            assert (headers["X-Self-ID"], headers["Authorization"]) == ("10001", "Bearer its-token")
            await scene.publish(nexus, onebot_apps=[])
            await link.wait_closed()
        assert nexus.current.running.onebot_apps == ()

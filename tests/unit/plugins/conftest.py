"""A host on a pretended chat platform."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from tests.unit.plugins.fakes import Platform, Room, write_plugin

from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.info import PluginState

Open = Callable[..., Awaitable[Room]]


@pytest.fixture
async def platform(redis_url: str) -> AsyncIterator[Platform]:
    platform = Platform(redis_url)
    yield platform
    await platform.close()


@pytest.fixture
async def host(platform: Platform) -> AsyncIterator[Host]:
    host = Host(platform)
    yield host
    await host.close()


@pytest.fixture
def open_room(platform: Platform, host: Host, tmp_path: Path) -> Open:
    """`await open_room(code, other=code)`: a room in which plugins with this code listen."""

    async def open_room(mine: str = "", **others: str) -> Room:
        for name, code in {"mine": mine, **others}.items():
            info = await host.load(write_plugin(tmp_path, code, name))
            assert info.state is PluginState.LOADED, info.error
        return Room(platform, host)

    return open_room

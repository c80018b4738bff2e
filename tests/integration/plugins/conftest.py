"""A host with isolated plugins on a pretended chat platform, storage on a real Valkey."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.integration.plugins.children import write_isolated
from tests.unit.plugins.fakes import Platform, Room, actions, message

from botmatrix import Message
from botmatrix.bus.keys import Keys
from botmatrix.clock import SystemClock
from botmatrix.worker.outcome import Outcome
from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.info import PluginState
from botmatrix.worker.plugins.isolated.keeper import Pace
from botmatrix.worker.plugins.isolated.plugin import Isolation
from botmatrix.worker.plugins.isolated.storage import Storage

FAST = Pace(first=0.05, longest=0.2, settle=0.15)
Open = Callable[..., Awaitable[Room]]


class LivePlatform(Platform):
    """With a clock that goes."""

    def __init__(self, redis_url: str, database_url: str = "") -> None:
        super().__init__(redis_url, database_url)
        self.clock = SystemClock()  # type: ignore[assignment]


class TextRoom(Room):
    """Gives the texts of replies as they are, not as CQ."""

    async def say(self, text: Any, **fields: Any) -> list[str]:
        return texts(await self.handle(message(text, **fields)))


def texts(outcome: Outcome) -> list[str]:
    """The texts of an event's buffered replies."""
    return [Message.parse(msgspec.json.decode(entry.params)["message"]).text for entry in actions(outcome)]


@pytest.fixture
async def platform(redis_url: str) -> AsyncIterator[Platform]:
    platform = LivePlatform(redis_url)
    yield platform
    await platform.close()


@pytest.fixture
async def host(platform: Platform, redis_url: str) -> AsyncIterator[Host]:
    storage = Storage(redis_url, Keys(), platform.clock, name="test-plugins")
    host = Host(platform, Isolation(platform, storage, pace=FAST))
    yield host
    await host.close()


@pytest.fixture
def open_room(platform: Platform, host: Host, tmp_path: Path) -> Open:
    """`await open_room(code, **manifest)`: a room in which one isolated plugin with this code listens."""

    async def open_room(code: str, name: str = "mine", **manifest: Any) -> Room:
        info = await host.load(write_isolated(tmp_path, code, name, **manifest))
        assert info.state is PluginState.LOADED, info.error
        return TextRoom(platform, host)

    return open_room

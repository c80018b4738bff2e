"""A gateway where bots and socket workers meet, without Redis: every event goes to whoever takes it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvloop
from tests.accepting import Accepting
from tests.integration.gateway.peers import TOKEN, RawBot, Recorder

from botmatrix.bus.actions import ActionBox, ActionResult
from botmatrix.bus.envelope import ActionEntry, Envelope, encode
from botmatrix.clock import SystemClock
from botmatrix.nexus.gateway import Gateway
from botmatrix.nexus.hub import Bot, Hub
from botmatrix.nexus.pins import Pin
from botmatrix.nexus.sockets.asker import Asker
from botmatrix.nexus.sockets.workers import SocketWorkers
from botmatrix.nexus.spool import Parcel
from botmatrix.nexus.timing import Timing
from botmatrix.onebot.event import Event

WORKER_TOKEN = "workers-token"


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop of production."""
    return {"uvloop": uvloop.new_event_loop}


class Meeting:
    """Bots on one side, socket workers on the other."""

    def __init__(self, folder: Path, timing: Timing) -> None:
        self.seen = Recorder()
        self.seen.react = self._hand
        clock = SystemClock()
        self.hub = Hub(self.seen, clock, timing)
        ids = itertools.count()
        self.asker = Asker(self.hub, self._elsewhere, lambda: str(next(ids)), clock)
        self.sockets = SocketWorkers(self.hub, self.asker, folder, clock)
        self.seen.react_meta = self.sockets.on_meta
        self.sockets.on_unwritten = self._unwritten
        self.unwritten: list[Parcel] = []
        self.untaken: list[Event] = []
        self._pins: dict[str, Pin] = {}
        self._peers: list[RawBot] = []
        self._tasks = [asyncio.create_task(self.asker.run())]
        self.gateway = Gateway(
            self.hub,
            host="127.0.0.1",
            port=0,
            tokens=Accepting(lambda _key: (TOKEN,)),
            max_frame=1 << 20,
            sockets=self.sockets,
            worker_opens=lambda _name, token: token == WORKER_TOKEN,
        )

    async def bot(self, self_id: str = "10001", **headers: str) -> RawBot:
        """A bot that is connected."""
        headers |= {"X_Self_ID": self_id, "Authorization": f"Bearer {TOKEN}"}
        peer = await self.knock("/onebot/v11/ws", 101, **headers)
        await self.seen.until(lambda: any(bot.self_id == self_id and bot.links for bot in self.hub.bots.values()))
        return peer

    async def application(self, path: str = "/onebot/v11/app/10001", token: str = WORKER_TOKEN) -> RawBot:
        """An application that has heard its lifecycle event."""
        peer = await self.knock(path, Authorization=f"Bearer {token}")
        if "/api" not in path:
            assert (await peer.action())["meta_event_type"] == "lifecycle"
        return peer

    async def old_worker(self, path: str = "/ws/workers") -> RawBot:
        """An old worker."""
        before = len(self.sockets.workers)
        peer = await self.knock(path, Authorization=f"Bearer {WORKER_TOKEN}")
        await self.seen.until(lambda: len(self.sockets.workers) > before)
        return peer

    async def knock(self, path: str, status: int = 101, **headers: str) -> RawBot:
        """Ask for an upgrade, which must end with this status."""
        peer = RawBot(*await asyncio.open_connection("127.0.0.1", self.gateway.port))
        self._peers.append(peer)
        got, self.answer = await peer.upgrade(path, {name.replace("_", "-"): v for name, v in headers.items()})
        assert got == status, self.answer
        return peer

    async def close(self) -> None:
        """End everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.asker.close()
        await self.gateway.stop(grace=0.05)
        for peer in self._peers:
            await peer.dispose()

    def _hand(self, bot: Bot, event: Event) -> None:
        pin = self._pins.setdefault(f"{bot.key}|{event.conv}", Pin(bot.key, event.conv, "", 0))
        envelope = Envelope("e", bot.key, event.conv, "n", 1, 1000, msgspec.Raw(event.raw))
        parcel = Parcel(pin, "", encode(envelope))
        if not any(self.sockets.hand(worker_id, parcel) for worker_id in list(self.sockets.workers)):
            self.untaken.append(event)

    def _elsewhere(self) -> ActionBox:
        return Elsewhere(self.hub)  # type: ignore[return-value]

    def _unwritten(self, parcels: list[Parcel]) -> None:
        self.unwritten += parcels


class Elsewhere:
    """No other nexus has a bot, but they know this one's."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def call(self, entry: ActionEntry, *, timeout: float, must_be_online: bool) -> ActionResult:
        return ActionResult("OFFLINE" if entry.bot in self._hub.bots else "NOBOT")


OpenMeeting = Callable[..., Awaitable[Meeting]]


@pytest.fixture
async def open_meeting(tmp_path: Path) -> AsyncIterator[OpenMeeting]:
    """Opens gateways with a timing of the test's choice."""
    opened: list[Meeting] = []

    async def open_one(timing: Timing | None = None) -> Meeting:
        meeting = Meeting(tmp_path, timing or Timing(greeting=3600))
        await meeting.gateway.start()
        opened.append(meeting)
        return meeting

    yield open_one
    for meeting in opened:
        await meeting.close()


@pytest.fixture
async def meeting(open_meeting: OpenMeeting) -> Meeting:
    """One with the timing of production, but without greetings."""
    return await open_meeting()


def ok(action: dict[str, Any], data: object = None) -> dict[str, Any]:
    """A bot's answer to an action."""
    return {"status": "ok", "retcode": 0, "data": data, "echo": action["echo"]}

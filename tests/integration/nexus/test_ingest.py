"""The nexus's road to the lanes, against a real Valkey that is killed, emptied and filled."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.conftest import ValkeyProcess

from botmatrix.bus.client import Client
from botmatrix.bus.keys import PARKING, Keys
from botmatrix.bus.lanes import Lanes
from botmatrix.clock import SystemClock
from botmatrix.nexus import handover, ingest
from botmatrix.nexus.batch import Batch
from botmatrix.nexus.ingest import Ingest
from botmatrix.nexus.pins import Pins
from botmatrix.nexus.spool import Parcel, Spool
from botmatrix.nexus.workers import Workers
from botmatrix.routing.place import Pools

KEYS = Keys()
INC = "n1.aaaaaaaa"


class Road:
    """An Ingest with its surroundings."""

    def __init__(self, url: str, folder: Path, inc: str = INC) -> None:
        self.client = Client(url, name="test")
        self.pins = Pins()
        self.workers = Workers(Client(url, name="roster"), KEYS, self.pins, SystemClock())
        self.ingest = Ingest(
            Client(url, name="ingest", timeout=2.0), KEYS, inc, Spool(folder / "spool"), self.pins, self.workers
        )
        self.lanes = Lanes(url, KEYS, "w1.bbbbbbbb")

    async def worker(self, name: str = "w1") -> None:
        """A worker that owns its lane and takes events."""
        lanes = Lanes(self.lanes._url, KEYS, f"{name}.bbbbbbbb")
        assert await lanes.join(name) is not None
        await lanes.close()
        await self.client.call("SET", KEYS.lease(f"{name}.bbbbbbbb"), "1")
        await self.client.call("HSET", KEYS.presence(name), "pool", "default")
        await self.workers.look()

    def say(self, text: str, conv: str = "group:1", mark: str = "") -> None:
        pin = self.pins.get(f"qq:1|{conv}") or self.pins.pin("qq:1", conv, self.workers.choose() or PARKING)
        self.ingest.put(Parcel(pin, KEYS.mark(mark) if mark else "", text.encode()))

    async def on(self, lane: str) -> list[str]:
        entries = await self.client.call("XRANGE", KEYS.lane(lane), "-", "+")
        return [fields[1].decode() for _, fields in entries]

    async def close(self) -> None:
        await self.ingest.stop()
        await self.workers.close()
        await self.lanes.close()
        await self.client.close()


@pytest.fixture
async def road(redis_url: str, tmp_path: Path) -> AsyncIterator[Road]:
    road = Road(redis_url, tmp_path)
    await road.worker()
    road.ingest.start()
    yield road
    await road.close()


async def test_events_reach_the_lane_in_order(road: Road) -> None:
    for n in range(500):
        road.say(str(n))
    await road.ingest.drained()
    assert await road.on("w1") == [str(n) for n in range(500)]


async def test_the_platforms_duplicate_is_dropped_and_counted(road: Road) -> None:
    for _ in range(3):
        road.say("once", mark="0123456789abcdef")
    await road.ingest.drained()
    assert await road.on("w1") == ["once"]
    assert road.ingest.counters["duplicate"] == 2


async def test_without_a_worker_events_are_parked(redis_url: str, tmp_path: Path) -> None:
    road = Road(redis_url, tmp_path)
    road.ingest.start()
    road.say("early")
    await road.ingest.drained()
    assert await road.on(PARKING) == ["early"]
    await road.close()


async def test_a_lane_that_was_deleted_is_picked_again_and_order_is_kept(road: Road) -> None:
    await road.worker("w2")
    for n in range(10):
        road.say(str(n))
    await road.ingest.drained()
    first = road.pins.get("qq:1|group:1")
    assert first is not None
    gone = first.lane
    await road.client.call("DEL", KEYS.lane(gone))
    await road.client.call("HDEL", KEYS.own, gone)
    for n in range(10, 700):
        road.say(str(n))
    await road.ingest.drained()
    other = "w2" if gone == "w1" else "w1"
    assert await road.on(other) == [str(n) for n in range(10, 700)]


async def test_a_full_lane_waits_without_stopping_the_others(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "HIGH_WATER", 3)
    await road.worker("w2")
    road.pins.pin("qq:1", "group:1", "w1")
    road.pins.pin("qq:1", "group:2", "w2")
    for n in range(6):
        road.say(str(n), "group:1")
    road.say("other", "group:2")
    while await road.on("w2") != ["other"]:
        await asyncio.sleep(0.01)
    assert await road.on("w1") == ["0", "1", "2"]
    await road.client.call("XTRIM", KEYS.lane("w1"), "MAXLEN", 0)
    await road.ingest.drained()
    assert await road.on("w1") == ["3", "4", "5"]


def hold_up_answers(road: Road, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """The answers to all batches but the first come late."""
    answered, loop = road.ingest._answered, asyncio.get_running_loop()

    def late(connection: Any, batch: Batch, future: Any) -> None:
        loop.call_later(seconds if batch.seq > 1 else 0, answered, connection, batch, future)

    monkeypatch.setattr(road.ingest, "_answered", late)


async def test_what_is_held_goes_before_what_comes_back_later(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "HIGH_WATER", 3)
    hold_up_answers(road, monkeypatch, 2 * ingest.HOLD_SECONDS)
    for n in range(200):
        road.say(str(n))
    while not road.ingest._closed:
        await asyncio.sleep(0.001)
    monkeypatch.setattr(ingest, "HIGH_WATER", 100_000)
    await road.ingest.drained()
    assert await road.on("w1") == [str(n) for n in range(200)]


async def test_what_is_held_at_the_end_goes_first_at_the_next_start(
    road: Road, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(ingest, "HIGH_WATER", 3)
    hold_up_answers(road, monkeypatch, 60)
    for n in range(200):
        road.say(str(n))
    while not road.ingest._closed:
        await asyncio.sleep(0.001)
    handover.leave(tmp_path, INC, await road.ingest.stop())
    monkeypatch.setattr(ingest, "HIGH_WATER", 100_000)
    heir = Road(road.lanes._url, tmp_path, "n1.cccccccc")
    heir.ingest.adopt(handover.take(tmp_path, "n1", heir.pins))
    heir.ingest.start()
    await heir.ingest.drained()
    assert await heir.on("w1") == [str(n) for n in range(200)]
    await heir.close()


async def test_a_full_lane_stops_the_reading_until_there_is_room(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "HIGH_WATER", 3)
    monkeypatch.setattr(ingest, "MAX_HELD", 100)
    pressed: list[bool] = []
    road.ingest.on_pressure = pressed.append
    for n in range(1000):
        road.say(str(n))
    await asyncio.sleep(3 * ingest.HOLD_SECONDS)
    assert pressed == [True]
    monkeypatch.setattr(ingest, "HIGH_WATER", 100_000)
    await road.ingest.drained()
    assert pressed == [True, False]
    assert await road.on("w1") == [str(n) for n in range(1000)]


async def test_a_killed_redis_loses_nothing_and_doubles_nothing(own_valkey: ValkeyProcess, tmp_path: Path) -> None:
    road = Road(own_valkey.url, tmp_path)
    await road.worker()
    road.ingest.start()
    for n in range(6000):
        road.say(str(n))
        if n % 100 == 0:
            await asyncio.sleep(0)
        if n in (1500, 4000):
            own_valkey.stop(kill=True)
            own_valkey.start()
    await road.ingest.drained()
    assert await road.on("w1") == [str(n) for n in range(6000)]
    await road.close()


async def test_a_redis_that_lost_its_data_is_noticed_and_served_again(road: Road) -> None:
    road.say("before")
    await road.ingest.drained()
    await road.client.call("FLUSHALL")
    await road.worker()
    for n in range(100):
        road.say(str(n))
    await road.ingest.drained()
    assert await road.on("w1") == ["before", *(str(n) for n in range(100))]
    assert road.ingest.counters["redis_lost_state"] == 1


def forget(server: ValkeyProcess, length: int) -> None:
    """Kill Redis and take back what its append-only file got beyond `length` bytes."""
    server.stop(kill=True)
    with appended(server).open("r+b") as file:
        file.truncate(length)
    server.start()


def appended(server: ValkeyProcess) -> Path:
    """The growing part of the append-only file."""
    (path,) = (server.folder / "appendonlydir").glob("*.incr.aof")
    return path


async def test_what_redis_forgets_of_what_it_confirmed_is_sent_again(own_valkey: ValkeyProcess, tmp_path: Path) -> None:
    road = Road(own_valkey.url, tmp_path)
    await road.worker()
    road.ingest.start()
    for n in range(100):
        road.say(str(n), mark=f"{n:016}")
    await road.ingest.drained()
    kept = appended(own_valkey).stat().st_size
    for n in range(100, 300):
        road.say(str(n), mark=f"{n:016}")
    await road.ingest.drained()
    forget(own_valkey, kept)
    for n in range(300, 400):
        road.say(str(n), mark=f"{n:016}")
    await road.ingest.drained()
    assert await road.on("w1") == [str(n) for n in range(400)]
    assert road.ingest.counters["accepted"] == 400
    assert road.ingest.counters["redis_lost_batches"] == 0
    await road.close()


async def test_a_full_redis_makes_events_wait(road: Road) -> None:
    await road.client.call("CONFIG", "SET", "maxmemory", "1")
    road.say("patience", mark="0123456789abcdef")
    while not road.ingest.counters["redis_refused"]:
        await asyncio.sleep(0.01)
    await road.client.call("CONFIG", "SET", "maxmemory", "0")
    await road.ingest.drained()
    assert await road.on("w1") == ["patience"]


async def test_what_is_unconfirmed_at_the_end_is_delivered_by_the_next_start(
    own_valkey: ValkeyProcess, tmp_path: Path
) -> None:
    road = Road(own_valkey.url, tmp_path)
    await road.worker()
    road.ingest.start()
    road.say("0")
    await road.ingest.drained()
    own_valkey.stop(kill=True)
    for n in range(1, 300):
        road.say(str(n))
        await asyncio.sleep(0)
    handover.leave(tmp_path, INC, await road.ingest.stop())
    own_valkey.start()

    heir = Road(own_valkey.url, tmp_path, "n1.cccccccc")
    heir.ingest.adopt(handover.take(tmp_path, "n1", heir.pins))
    heir.ingest.start()
    heir.say("300")
    await heir.ingest.drained()
    assert await heir.on("w1") == [str(n) for n in range(301)]
    await heir.close()
    await road.close()


async def test_a_spool_past_its_memory_goes_through_the_file_in_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", memory=100, disk=10_000)
    pins = Pins()
    pin = pins.pin("qq:1", "group:1", "w1")
    for n in range(600):
        spool.put(Parcel(pin, "", f"{n:04}".encode()))
        if n == 300:
            assert spool.pop().payload == b"0000"
    assert spool.crowded
    assert [parcel.payload for parcel in spool.drain()] == [f"{n:04}".encode() for n in range(1, 600)]
    assert not (tmp_path / "spool").exists()


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """A disk that is full: no file of this process grows beyond `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [0, 1000])
async def test_a_spool_on_a_full_disk_keeps_everything_and_recovers(tmp_path: Path, size: int) -> None:
    spool = Spool(tmp_path / "spool", memory=100, disk=100_000)
    pin = Pins().pin("qq:1", "group:1", "w1")
    with no_file_beyond(size), capture_logs():
        for n in range(300):
            spool.put(Parcel(pin, "", f"{n:04}".encode()))
    assert spool.full
    assert len(spool) == 300
    assert [parcel.payload for parcel in spool.drain()] == [f"{n:04}".encode() for n in range(300)]
    assert not spool.full


async def test_what_comes_back_goes_before_what_is_held_from_the_parking_place(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    road = Road(redis_url, tmp_path)
    road.ingest.start()
    road.say("first", "group:3")
    await road.ingest.drained()
    hold_up_answers(road, monkeypatch, 0.05)
    road.pins.pin("qq:1", "group:2", "gone")
    for n in range(64):
        road.say(f"other {n}", "group:2")
    for n in range(64):
        road.say(str(n))
    while len(road.ingest._flying) < 2:
        await asyncio.sleep(0)
    road.workers.candidates = ["w1"]
    road.workers.pools = Pools([("w1", "default")])
    for n in range(64, 128):
        road.say(str(n))
    while not road.ingest._held:
        await asyncio.sleep(0)
    assert len(road.ingest._flying) == 2
    monkeypatch.undo()
    await road.worker()
    async with asyncio.timeout(10):
        while road.ingest.waiting:
            await asyncio.sleep(0.05)
            await road.workers.look()
    parked_and_moved = [*await road.on(PARKING), *await road.on("w1")]
    assert [text for text in parked_and_moved if text.isdigit()] == [str(n) for n in range(128)]
    await road.close()

"""Hot configuration on a real Valkey."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs
from tests.conftest import ValkeyProcess

from botmatrix.bus.client import Client
from botmatrix.bus.hot import Hot, HotBox
from botmatrix.bus.hot_values import Kind
from botmatrix.bus.keys import Keys
from botmatrix.bus.signals import Signals
from botmatrix.errors import EngineUnavailable

KEYS = Keys()


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Client]:
    client = Client(redis_url, name="test")
    yield client
    await client.close()


async def test_a_change_tells_what_was_there_and_drops_empty_values(client: Client) -> None:
    box = HotBox(client, KEYS)
    assert await box.change(Kind.TTL, {"idempotency_ttl_sec": "5", "session_ttl_sec": "90"}, clear=False) == {}
    before = await box.change(Kind.TTL, {"idempotency_ttl_sec": ""}, clear=False)
    assert before == {"idempotency_ttl_sec": "5", "session_ttl_sec": "90"}
    assert await box.read(Kind.TTL) == {"session_ttl_sec": "90"}
    await box.change(Kind.TTL, {"idempotency_ttl_sec": "7"}, clear=True)
    assert await box.read(Kind.TTL) == {"idempotency_ttl_sec": "7"}


async def test_a_process_follows_what_is_set_and_keeps_the_last_good_value(client: Client) -> None:
    hot, taken = Hot(client, KEYS), []
    hot.follow(lambda hot: taken.append(hot.ttls.idempotency_ttl_sec))
    await client.call("HSET", KEYS.config_ttl, "idempotency_ttl_sec", "5", "session_ttl_sec", "90")
    await hot.look()
    await hot.look()
    await client.call("HSET", KEYS.config_ttl, "idempotency_ttl_sec", "soon", "session_ttl_sec", "100")
    with capture_logs() as logs:
        await hot.look()
        await hot.look()
    assert (hot.ttls.idempotency_ttl_sec, hot.ttls.session_ttl_sec) == (5, 100)
    assert [line["field"] for line in logs] == ["idempotency_ttl_sec"]
    await client.call("DEL", KEYS.config_ttl)
    await hot.look()
    assert taken == [120, 5, 5, 120]


async def test_a_field_set_by_other_means_acts_within_five_seconds_and_a_change_within_one(
    client: Client, redis_url: str
) -> None:
    hot, signals = Hot(client, KEYS), Signals(redis_url, name="test-signals")
    changed = asyncio.Event()
    hot.follow(lambda _hot: changed.set())
    running = asyncio.create_task(hot.run())
    try:
        assert await seconds_until(changed, hot.look()) < 1
        await client.call("HSET", KEYS.config_ratelimit, "user_limit_per_min", "20")
        assert await seconds_until(changed) < 5
        signals.subscribe(KEYS.hot_changed, hot.nudge)
        while not (await client.call("PUBSUB", "NUMSUB", KEYS.hot_changed))[1]:
            await asyncio.sleep(0.01)
        other = HotBox(client, KEYS).change(Kind.RATELIMIT, {"user_limit_per_min": "30"}, clear=False)
        assert await seconds_until(changed, other) < 1
        assert hot.limits.user_limit_per_min == 30
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await signals.close()


async def test_while_redis_is_away_everything_stays(own_valkey: ValkeyProcess) -> None:
    client = Client(own_valkey.url, name="test")
    hot = Hot(client, KEYS)
    await HotBox(client, KEYS).change(Kind.RATELIMIT, {"user_limit_per_min": "20"}, clear=False)
    await hot.look()
    own_valkey.stop(kill=True)
    with pytest.raises(EngineUnavailable):
        await hot.look()
    assert hot.limits.user_limit_per_min == 20
    await client.close()


async def seconds_until(event: asyncio.Event, *doing: object) -> float:
    """Until something happens, which `doing` may bring about; the event is ready for the next time."""
    started = time.monotonic()
    for one in doing:
        await one  # type: ignore[misc]
    async with asyncio.timeout(10):
        await event.wait()
    event.clear()
    return time.monotonic() - started

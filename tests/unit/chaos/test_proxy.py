"""The relay that loses replies."""

from __future__ import annotations

import pytest
import redis.asyncio as redis_asyncio
from redis.exceptions import RedisError
from tests.chaos.proxy import Proxy
from tests.conftest import ValkeyProcess


async def test_what_was_asked_is_done_though_nobody_hears_of_it(own_valkey: ValkeyProcess) -> None:
    proxy = Proxy(own_valkey.port)
    await proxy.start()
    near = redis_asyncio.Redis.from_url(
        own_valkey.url.replace(f":{own_valkey.port}/", f":{proxy.port}/"), socket_timeout=0.5, retry=None
    )
    far = redis_asyncio.Redis.from_url(own_valkey.url)
    try:
        await near.set("heard", "1")
        proxy.deaf = True
        with pytest.raises(RedisError):
            await near.set("unheard", "1")
        assert await far.get("unheard") == b"1"
        assert proxy.swallowed > 0
    finally:
        await near.aclose()
        await far.aclose()
        await proxy.close()

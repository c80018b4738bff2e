"""The logs of all parts, read together."""

from __future__ import annotations

import time
from typing import Any

import httpx
from tests.integration.control.conftest import LogIn

from botmatrix.bus.keys import Keys
from botmatrix.bus.logs import LogShipper
from botmatrix.control.parts import Parts
from botmatrix.log import Line
from botmatrix.store.tables import Role


def put(parts: Parts, *lines: tuple[str, str, str]) -> None:
    shipper = LogShipper(parts.settings.redis_url, Keys())
    for part, level, text in lines:
        shipper.put(Line(time.time(), part, level, text))
    shipper.start()
    shipper.stop()


async def read(client: httpx.AsyncClient, **query: Any) -> tuple[list[str], str]:
    answer = (await client.get("/api/logs", params=query)).json()
    return [one["text"] for one in answer["logs"]], answer["last"]


async def test_lines_are_filtered_and_followed(owner: httpx.AsyncClient, parts: Parts) -> None:
    assert await read(owner) == ([], "")
    put(parts, ("nexus", "info", "a bot is HERE"), ("worker", "error", "it broke"), ("nexus", "debug", "fine"))
    found, last = await read(owner)
    assert found == ["a bot is HERE", "it broke", "fine"]
    assert (await read(owner, level="warning"))[0] == ["it broke"]
    assert (await read(owner, q="here"))[0] == ["a bot is HERE"]
    assert (await read(owner, part="nexus", size=1))[0] == ["fine"]
    assert await read(owner, since=last) == ([], last)
    put(parts, ("nexus", "info", "one"), ("nexus", "info", "two"), ("nexus", "info", "three"))
    found, last = await read(owner, since=last, size=2)
    assert found == ["one", "two"]
    assert (await read(owner, since=last, size=2))[0] == ["three"]


async def test_what_can_not_be_asked_is_refused(owner: httpx.AsyncClient, parts: Parts, log_in: LogIn) -> None:
    for query in ("since=x", "since=5", "level=loud", "size=0"):
        assert (await owner.get(f"/api/logs?{query}")).status_code == 422
    await parts.redis.call("XADD", Keys().logs, "*", "line", "{broken")
    assert await read(owner) == ([], "")
    assert (await (await log_in(Role.VIEWER)).get("/api/logs")).status_code == 403

"""The live view: what is shown, to whom, how much of it, and when it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from tests.conftest import ValkeyProcess
from tests.integration.control.conftest import PASSWORD, ControlOptions
from tests.integration.control.reports import heard, report
from tests.integration.control.test_app import serving
from tests.postgres import PostgresProcess

from botmatrix.bus.trace_parts import Repeated
from botmatrix.control.api import live
from botmatrix.control.parts import Parts
from botmatrix.control.tracing.feed import MOST_HOPS, MOST_VIEWERS
from botmatrix.control.tracing.viewer import MOST_WAITING, Hops, Viewer
from botmatrix.store.tables import Role


class Watching:
    """An open view: events as (name, data, id)."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def next(self, wanted: str = "hops") -> tuple[dict[str, Any], str]:
        """The next event of this name."""
        event: dict[str, str] = {}
        async with asyncio.timeout(10):
            async for line in self._lines:
                name, _, value = line.partition(": ")
                event[name] = value
                if not line:
                    if event.get("event") == wanted:
                        return json.loads(event["data"]), event.get("id", "")
                    event = {}
        raise EOFError("the view ended")


@asynccontextmanager
async def watching(client: httpx.AsyncClient, **headers: str) -> AsyncIterator[Watching]:
    async with client.stream("GET", "/api/live", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        watcher = Watching(answer)
        await watcher.next("counters")
        yield watcher


@asynccontextmanager
async def visited(options: ControlOptions, role: Role) -> AsyncIterator[tuple[httpx.AsyncClient, Parts]]:
    """A control process, and somebody with this role who is logged in."""
    async with serving(options) as (client, parts):
        await asyncio.wait_for(parts.schema_ready.wait(), 15)
        user = await parts.users.create("somebody", PASSWORD, role)
        token, _ = await parts.logins.start(user, address="", user_agent="")
        client.headers["Authorization"] = f"Bearer {token}"
        yield client, parts


async def test_hops_are_shown_as_they_happen_and_blocked_ones_apart(options: ControlOptions) -> None:
    async with visited(options, Role.OPERATOR) as (client, _), watching(client) as view:
        await report(options.redis_url, heard("hi"), heard("bad", reason="rule", lane=""))
        data, entry = await view.next()
        assert [hop["text"] for hop in data["hops"]] == ["hi", "bad"]
        assert [hop["reason"] for hop in data["blocked"]] == ["rule"]
        assert data["left_out"] == 0
        assert entry.endswith("-0")


async def test_a_viewer_sees_hops_but_not_what_people_write(options: ControlOptions) -> None:
    async with visited(options, Role.VIEWER) as (client, _), watching(client) as view:
        await report(options.redis_url, heard("secret words"))
        (hop,) = (await view.next())[0]["hops"]
        assert hop["lane"] == "w1"
        assert "text" not in hop


async def test_who_comes_back_gets_what_was_missed(options: ControlOptions) -> None:
    async with visited(options, Role.OPERATOR) as (client, _):
        async with watching(client) as view:
            await report(options.redis_url, heard("one"))
            _, entry = await view.next()
        await report(options.redis_url, heard("two"))
        await report(options.redis_url, heard("three"))
        async with client.stream("GET", "/api/live", headers={"Last-Event-ID": entry}) as answer:
            data, _ = await Watching(answer).next()
            assert [hop["text"] for hop in data["hops"]] == ["two", "three"]
        async with watching(client, **{"Last-Event-ID": "nonsense"}) as view:
            await report(options.redis_url, heard("four"))
            assert (await view.next())[0]["hops"][0]["text"] == "four"


async def test_what_is_too_much_is_left_out_and_counted(options: ControlOptions) -> None:
    async with visited(options, Role.OPERATOR) as (client, _), watching(client) as view:
        await report(options.redis_url, *(Repeated("0" * 24, number) for number in range(1000)))
        shown = left_out = 0
        while shown + left_out < 1000:
            data, _ = await view.next()
            assert len(data["hops"]) <= MOST_HOPS
            shown, left_out = shown + len(data["hops"]), left_out + data["left_out"]
        assert left_out > 0


async def test_a_slow_viewer_misses_the_oldest_and_is_told_how_much() -> None:
    viewer = Viewer(reads=True)
    for number in range(MOST_WAITING + 10):
        viewer.offer(Hops(f"{number}-0", [{"part": "repeated"}], 1))
    text = await viewer.next(1)
    assert text.count("event: hops") == MOST_WAITING
    assert text.startswith("id: 10-0")
    assert '"left_out": 21' in text.split("\n\n")[0]


async def test_a_view_ends_with_its_login(options: ControlOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "CHECK_EVERY", 0.1)
    async with visited(options, Role.VIEWER) as (client, parts), watching(client) as view:
        await parts.users.disable("somebody")
        assert "login" in (await view.next("end"))[0]["reason"]
        with pytest.raises(EOFError):
            await view.next()


async def test_an_open_view_goes_on_without_postgresql(
    options: ControlOptions, own_postgres: PostgresProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "CHECK_EVERY", 0.1)
    options.database_url = own_postgres.url()
    async with visited(options, Role.OPERATOR) as (client, _), watching(client) as view:
        own_postgres.stop(kill=True)
        for words in ("one", "two", "three"):
            await report(options.redis_url, heard(words))
            assert (await view.next())[0]["hops"][0]["text"] == words


async def test_a_view_goes_on_when_redis_comes_back(options: ControlOptions, own_valkey: ValkeyProcess) -> None:
    options.redis_url = own_valkey.url
    async with visited(options, Role.OPERATOR) as (client, _), watching(client) as view:
        own_valkey.stop(kill=True)
        await asyncio.to_thread(own_valkey.start)
        await report(options.redis_url, heard("again"))
        assert (await view.next())[0]["hops"][0]["text"] == "again"


async def test_nothing_is_read_while_nobody_watches_and_places_are_bounded(options: ControlOptions) -> None:
    async with visited(options, Role.VIEWER) as (client, parts):
        async with watching(client):
            assert len(parts.feed._tasks) == 2
        async with asyncio.timeout(5):
            while parts.feed._tasks:
                await asyncio.sleep(0.01)
        parts.feed._viewers |= {Viewer(reads=False) for _ in range(MOST_VIEWERS)}
        assert (await client.get("/api/live")).status_code == 503
        parts.feed._viewers.clear()

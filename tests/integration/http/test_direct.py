"""A worker that may asks a bot's HTTP API itself: the limits, the states and the trace are those of every action."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.integration.http.conftest import API_TOKEN, House, HttpImplementation, online

from botmatrix.bus.client import Client
from botmatrix.bus.direct import DirectBox
from botmatrix.bus.envelope import ActionEntry
from botmatrix.bus.keys import Keys
from botmatrix.bus.trace_parts import Acted
from botmatrix.clock import SystemClock
from botmatrix.config import load
from botmatrix.worker.direct import Direct
from botmatrix.worker.links import Links
from botmatrix.worker.services import WorkerServices

KEYS = Keys()
TRACED = "0" * 23 + "1"


class Desk:
    """A bot, its nexus, and what a worker has for asking the bot itself."""

    def __init__(self, house: House, bot: HttpImplementation) -> None:
        self.house, self.bot = house, bot
        self.parts: list[Acted] = []

    def direct(self, worker: str = "w1", allowed: tuple[str, ...] = ("w1",)) -> Direct:
        """That of a worker with this id."""
        box = DirectBox(Client(self.house.url, name="test-direct"), KEYS, worker)
        direct = Direct(box, worker, SystemClock())
        flags = {"redis_url": self.house.url, "bots": [self.bot.entry(direct=list(allowed))]}
        direct.take(load(self.house.home, flags, {}))
        direct.on_acted = lambda make, _size: self.parts.append(make())
        self.house.stack.push_async_callback(direct.close)
        return direct

    async def state(self, aid: str) -> dict[str, str]:
        """What Redis keeps of an action."""
        flat = [part.decode() for part in await self.house.client.call("HGETALL", KEYS.act(aid))]
        return dict(zip(flat[::2], flat[1::2], strict=True))


@pytest.fixture
async def desk(house: House) -> Desk:
    bot = await house.implementation()
    nexus = await house.serve(bot.entry(direct=["w1"]))
    await online(nexus)
    desk = Desk(house, bot)
    while b"online" not in (await house.client.call("HMGET", KEYS.bot("qq:10001"), "state")):
        await asyncio.sleep(0.02)
    return desk


def action(aid: str = "a1", name: str = "send_msg", event: str = TRACED) -> ActionEntry:
    params = msgspec.json.encode({"user_id": 7, "message": "hi"})
    return ActionEntry("qq:10001", aid, name, msgspec.Raw(params), 1 << 50, "", event)


def says(answer: Any) -> Callable[[str, dict[str, Any]], Any]:
    async def answering(_action: str, _params: dict[str, Any]) -> tuple[int, Any]:
        return 200, answer

    return answering


async def test_a_worker_that_may_asks_the_bot_itself_and_the_end_is_kept(desk: Desk) -> None:
    result = await desk.direct().call(action())
    assert result is not None
    assert (result.state, msgspec.json.decode(result.data)["message_id"]) == ("DONE", 9)
    assert desk.bot.asked == [("send_msg", {"user_id": 7, "message": "hi"})]
    kept = await desk.state("a1")
    assert (kept["state"], kept["worker"]) == ("DONE", "w1")
    assert await desk.house.client.call("HGET", KEYS.stats, "actions_done") == b"1"
    (part,) = desk.parts
    assert (part.id, part.action, part.state) == (TRACED, "send_msg", "DONE")
    assert msgspec.json.decode(part.params)["message"] == "hi"
    assert msgspec.json.decode(part.result)["message_id"] == 9


async def test_an_action_that_ran_is_not_repeated_by_whoever_runs_its_handler_again(desk: Desk) -> None:
    first = await desk.direct().call(action())
    assert await desk.direct().call(action()) == first
    assert len(desk.bot.asked) == 1


@pytest.mark.parametrize("allowed", [(), ("w2",)])
async def test_a_worker_without_permission_goes_by_the_nexus(desk: Desk, allowed: tuple[str, ...]) -> None:
    assert await desk.direct("w1", allowed).call(action()) is None
    assert desk.bot.asked == []
    assert await desk.state("a1") == {}


async def test_a_star_lets_every_worker(desk: Desk) -> None:
    assert await desk.direct("whoever", ("*",)).call(action()) is not None


@pytest.mark.parametrize("field", ["send_bot_per_min", "send_target_per_min", "user:7:send_limit"])
async def test_messages_go_by_the_nexus_while_what_is_sent_is_limited(desk: Desk, field: str) -> None:
    await desk.house.client.call("HSET", KEYS.config_ratelimit, field, "60")
    direct = desk.direct()
    assert await direct.call(action()) is None
    assert await direct.call(action("a2", "get_friend_list")) is not None, "only messages have turns"
    await desk.house.client.call("HSET", KEYS.config_ratelimit, field, "0")
    assert await direct.call(action()) is not None


async def test_messages_do_not_overtake_those_that_wait_for_their_turn(desk: Desk) -> None:
    await desk.house.client.call("XADD", KEYS.room("qq:10001"), "*", "payload", "{}")
    assert await desk.direct().call(action()) is None


async def test_a_bot_that_is_away_is_left_to_the_nexus(desk: Desk) -> None:
    await desk.house.client.call("HSET", KEYS.bot("qq:10001"), "state", "offline")
    assert await desk.direct().call(action()) is None


async def test_what_was_given_to_the_nexus_stays_there(desk: Desk) -> None:
    await desk.house.client.call("HSET", KEYS.act("a1"), "state", "QUEUED")
    assert await desk.direct().call(action()) is None
    assert desk.bot.asked == []


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ({"status": "failed", "retcode": 100, "data": None, "wording": "no"}, "FAILED"),
        ({"status": "failed", "retcode": 1200, "data": None}, "UNKNOWN"),
        ("no answer of OneBot's", "UNKNOWN"),
    ],
)
async def test_failures_and_unknown_ends_are_kept_as_such(desk: Desk, answer: Any, state: str) -> None:
    desk.bot.answering = says(answer)
    result = await desk.direct().call(action())
    assert result is not None
    assert result.state == state
    assert (await desk.state("a1"))["state"] == result.state


async def test_the_end_is_kept_when_the_handler_is_given_up_meanwhile(desk: Desk) -> None:
    arrived, may_go = asyncio.Event(), asyncio.Event()

    async def slowly(_action: str, _params: dict[str, Any]) -> tuple[int, Any]:
        arrived.set()
        await may_go.wait()
        return 200, {"status": "ok", "retcode": 0, "data": None}

    desk.bot.answering = slowly
    calling = asyncio.create_task(desk.direct().call(action()))
    await arrived.wait()
    assert (await desk.state("a1"))["state"] == "SENT"
    assert await desk.direct().call(action()) is None, "another run waits for the first one's end"
    calling.cancel()
    may_go.set()
    async with asyncio.timeout(20):
        while (await desk.state("a1"))["state"] != "DONE":
            await asyncio.sleep(0.02)


async def test_no_secret_of_the_bot_is_in_what_is_kept_or_shown(
    desk: Desk, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    direct = desk.direct()
    result = await direct.call(action())
    await desk.bot.stop()
    failed = await direct.call(action("a2"))
    said = f"{result}{failed}{vars(direct)}{caplog.text}{capsys.readouterr()}{await desk.state('a2')}{desk.parts}"
    assert API_TOKEN not in said


async def test_permission_that_is_taken_back_holds_at_once(desk: Desk) -> None:
    direct = desk.direct()
    assert await direct.call(action()) is not None
    direct.take(load(desk.house.home, {"redis_url": desk.house.url, "bots": [desk.bot.entry()]}, {}))
    assert await direct.call(action("a2")) is None


async def test_calls_and_early_messages_of_plugins_go_directly(desk: Desk) -> None:
    settings = load(desk.house.home, {"redis_url": desk.house.url, "bots": [desk.bot.entry(direct=["w1"])]}, {})
    links = Links(desk.house.url, KEYS, "w1.00000000", SystemClock())
    desk.house.stack.push_async_callback(links.close)
    services = WorkerServices(settings, SystemClock(), links, dict)
    assert (await services.call(action("a3", "get_group_list"))).state == "DONE"
    assert await services.post(action("a4")) == "DONE"
    assert desk.bot.asked == [("send_msg", {"user_id": 7, "message": "hi"})]
    assert [(await desk.state(aid))["worker"] for aid in ("a3", "a4")] == ["w1", "w1"]

"""The hub calls others: another hub plays the application, or the bot's own server."""

from __future__ import annotations

import asyncio
import random

import pytest
from tests.integration.gateway.peers import TOKEN
from tests.integration.sockets.conftest import WORKER_TOKEN, Meeting, OpenMeeting, ok
from tests.integration.sockets.silent import Silent

from botmatrix.clock import SystemClock
from botmatrix.config.secret import Secret
from botmatrix.config.settings import BotServer, OneBotApp
from botmatrix.nexus.http.bots import HttpBots
from botmatrix.nexus.sockets import dial
from botmatrix.nexus.sockets.dial import Dialer
from botmatrix.nexus.sockets.servers import DialledApplications, DialledBots, bot_line
from botmatrix.nexus.timing import Timing
from botmatrix.onebot.action import ActionResponse


@pytest.fixture(autouse=True)
def no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconnect at once."""
    monkeypatch.setattr(dial, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(dial, "LAST_PAUSE", 0.1)


def new_dialer() -> Dialer:
    return Dialer(Timing(), 1 << 20, SystemClock(), random.Random(1))


def app_at(other: Meeting, name: str = "nonebot", token: str = TOKEN, bots: tuple[str, ...] = ()) -> OneBotApp:
    return OneBotApp(name, f"ws://127.0.0.1:{other.gateway.port}/onebot/v11/ws", Secret(token), bots)


async def test_an_application_is_dialled_once_for_every_bot(open_meeting: OpenMeeting) -> None:
    hub, application = await open_meeting(), await open_meeting()
    dialer = new_dialer()
    dialled = DialledApplications(hub.sockets, dialer)
    dialled.configure([app_at(application)])
    first, second = await hub.bot("10001"), await hub.bot("20002")
    for bot in ("qq:10001", "qq:20002"):
        dialled.bot_came(bot)
    await application.seen.until(lambda: set(application.hub.bots) == {"qq:10001", "qq:20002"})
    second.message("hi", self_id=20002)
    await application.seen.until(lambda: bool(application.seen.events))
    assert application.seen.events[0][0] == "qq:20002"
    answers: list[ActionResponse | None] = []
    application.hub.bots["qq:10001"].call("get_status", b"{}", answers.append)
    first.say(ok(await first.action(), "fine"))
    await application.seen.until(lambda: bool(answers))
    assert answers[0] is not None
    assert bytes(answers[0].data) == b'"fine"'
    await dialer.close()
    await application.seen.until(lambda: all(not bot.links for bot in application.hub.bots.values()))
    assert not hub.sockets.workers


async def test_only_the_bots_that_are_named_are_dialled_for(open_meeting: OpenMeeting) -> None:
    hub, application = await open_meeting(), await open_meeting()
    dialer = new_dialer()
    dialled = DialledApplications(hub.sockets, dialer)
    dialled.configure([app_at(application, bots=("qq:20002",))])
    for bot in ("qq:10001", "qq:20002"):
        dialled.bot_came(bot)
    assert list(dialer.lines) == ["nonebot for qq:20002"]
    dialled.bot_went("qq:20002")
    assert not dialer.lines
    await dialer.close()


async def test_a_line_comes_back_by_itself(open_meeting: OpenMeeting) -> None:
    hub, application = await open_meeting(), await open_meeting()
    dialer = new_dialer()
    dialled = DialledApplications(hub.sockets, dialer)
    dialled.configure([app_at(application)])
    dialled.bot_came("qq:10001")
    for times in (1, 2, 3):
        await application.seen.until(lambda n=times: application.seen.happenings.count(("online", "qq:10001")) == n)  # type: ignore[misc]
        application.hub.drop("qq:10001", 1001, "away")
    await dialer.close()


async def test_a_refusal_is_told_in_words_without_the_token(open_meeting: OpenMeeting) -> None:
    hub, application = await open_meeting(), await open_meeting()
    dialer = new_dialer()
    dialled = DialledApplications(hub.sockets, dialer)
    dialled.configure([app_at(application, token="wrong-token")])
    dialled.bot_came("qq:10001")
    line = dialer.lines["nonebot for qq:10001"]
    await application.seen.until(lambda: line.attempts > 1)
    assert line.error == "HTTP 403: it refuses the token, or it does not know this bot"
    assert "wrong-token" not in repr(line)
    await application.gateway.stop(grace=0.05)
    await application.seen.until(lambda: line.error == "connection refused: nothing listens there")
    await dialer.close()


async def test_an_application_is_not_dialled_under_the_name_of_a_stream_worker(open_meeting: OpenMeeting) -> None:
    hub, application = await open_meeting(), await open_meeting()
    taken = {"nonebot"}
    hub.sockets.is_taken = taken.__contains__
    dialer = new_dialer()
    dialled = DialledApplications(hub.sockets, dialer)
    dialled.configure([app_at(application)])
    dialled.bot_came("qq:10001")
    line = dialer.lines["nonebot for qq:10001"]
    await application.seen.until(lambda: line.attempts > 1)
    assert line.error == "a stream worker has this name: give the application another one"
    assert not hub.sockets.workers
    taken.clear()
    await application.seen.until(lambda: "qq:10001" in application.hub.bots)
    await dialer.close()


async def test_a_changed_application_is_dialled_anew(open_meeting: OpenMeeting) -> None:
    hub, one, other = await open_meeting(), await open_meeting(), await open_meeting()
    dialer = new_dialer()
    dialled = DialledApplications(hub.sockets, dialer)
    dialled.configure([app_at(one)])
    dialled.bot_came("qq:10001")
    await one.seen.until(lambda: "qq:10001" in one.hub.bots)
    dialled.configure([app_at(other)])
    await other.seen.until(lambda: "qq:10001" in other.hub.bots)
    await one.seen.until(lambda: not one.hub.bots["qq:10001"].links)
    dialled.configure([])
    await other.seen.until(lambda: not other.hub.bots["qq:10001"].links)
    await dialer.close()


async def test_a_bots_own_server_is_dialled_and_the_bot_is_named_by_what_it_says(open_meeting: OpenMeeting) -> None:
    hub, implementation = await open_meeting(), await open_meeting()
    real = await implementation.bot("10001")
    dialer = new_dialer()
    url = f"ws://127.0.0.1:{implementation.gateway.port}/onebot/v11/app/10001"
    server = BotServer(url, Secret(WORKER_TOKEN), "qq")
    http = HttpBots(hub.hub, dialer.lines, 1 << 20, SystemClock())
    DialledBots(hub.hub, dialer, http).keep(server)
    await hub.seen.until(lambda: "qq:10001" in hub.hub.bots and bool(hub.hub.bots["qq:10001"].links))
    real.message("hi")
    await hub.seen.until(lambda: bool(hub.seen.events))
    answers: list[ActionResponse | None] = []
    hub.hub.bots["qq:10001"].call("get_status", b"{}", answers.append)
    real.say(ok(await real.action(), "fine"))
    await hub.seen.until(lambda: bool(answers))
    await dialer.close()
    await hub.seen.until(lambda: ("offline", "qq:10001") in hub.seen.happenings)


def implementation_at(other: Meeting, bot: str) -> BotServer:
    return BotServer(f"ws://127.0.0.1:{other.gateway.port}/onebot/v11/app/{bot}", Secret(WORKER_TOKEN), "qq")


async def test_servers_of_several_bots_may_be_at_one_address(open_meeting: OpenMeeting) -> None:
    """Behind a reverse proxy they differ in their paths only."""
    hub, implementation = await open_meeting(), await open_meeting()
    dialer = new_dialer()
    dialled = DialledBots(hub.hub, dialer, HttpBots(hub.hub, dialer.lines, 1 << 20, SystemClock()))
    servers = [implementation_at(implementation, bot) for bot in ("10001", "20002")]
    for server, bot in zip(servers, ("10001", "20002"), strict=True):
        await implementation.bot(bot)
        dialled.keep(server)
    await hub.seen.until(lambda: {key for key, bot in hub.hub.bots.items() if bot.links} == {"qq:10001", "qq:20002"})
    assert len(dialer.lines) == 2
    dialled.drop(servers[0])
    await hub.seen.until(lambda: ("offline", "qq:10001") in hub.seen.happenings)
    assert hub.hub.bots["qq:20002"].links
    await dialer.close()


def test_the_name_of_a_line_tells_servers_apart_and_holds_no_secret() -> None:
    urls = ["ws://h:1", "ws://h:1/a", "ws://h:1/b", "ws://h:1/b?access_token=one", "ws://h:1/b?access_token=other"]
    names = [bot_line(BotServer(url)) for url in urls]
    assert len(set(names)) == len(urls)
    assert bot_line(BotServer("ws://user:pass@h:1/a/")) == "bot at h:1/a"
    assert not any("one" in name or "other" in name for name in names)


async def test_a_dialled_bot_that_was_sent_away_is_not_let_in_until_it_may_come(open_meeting: OpenMeeting) -> None:
    hub, implementation = await open_meeting(), await open_meeting()
    await implementation.bot("10001")
    dialer = new_dialer()
    http = HttpBots(hub.hub, dialer.lines, 1 << 20, SystemClock())
    away = {"qq:10001": 60.0}
    http.banned = lambda key: away.get(key, 0.0)
    server = implementation_at(implementation, "10001")
    DialledBots(hub.hub, dialer, http).keep(server)
    await hub.seen.until(lambda: hub.hub.counters.get("link_forbidden", 0) > 1)
    assert ("online", "qq:10001") not in hub.seen.happenings
    away.clear()
    await hub.seen.until(lambda: ("online", "qq:10001") in hub.seen.happenings)
    await dialer.close()


@pytest.mark.parametrize("host", ["a..b", "a" * 70 + ".example"])
async def test_a_host_that_no_host_can_be_called_is_named_and_tried_again(host: str, meeting: Meeting) -> None:
    dialer = new_dialer()
    line = dial.Line("x", f"ws://{host}/", Silent)
    dialer.keep(line)
    await meeting.seen.until(lambda: line.attempts > 1)
    assert line.error == "no host can have the name that stands in the URL"
    await dialer.close()


async def test_dialling_ends_in_order_while_nothing_answers() -> None:
    listener = await asyncio.start_server(lambda _reader, _writer: asyncio.sleep(3600), "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    dialer = new_dialer()
    dialer.keep(dial.Line("x", f"ws://127.0.0.1:{port}/", Silent))
    await asyncio.sleep(0)
    await dialer.close()
    listener.close()

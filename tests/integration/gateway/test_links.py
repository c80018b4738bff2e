"""Who speaks for a bot: names, roles, duplicates, and the end of a link."""

from __future__ import annotations

import asyncio

from tests.integration.gateway.conftest import OpenStage
from tests.integration.gateway.peers import CLOSE, TEXT, Stage

from botmatrix.nexus.hub import BotState
from botmatrix.nexus.timing import Timing
from botmatrix.onebot.action import ActionResponse

KEY = "qq:10001"


def lifecycle(self_id: object = 10001, **fields: object) -> dict[str, object]:
    return {
        "post_type": "meta_event",
        "meta_event_type": "lifecycle",
        "sub_type": "connect",
        "self_id": self_id,
        **fields,
    }


async def test_unnamed_bot_is_named_by_its_lifecycle_event_and_loses_nothing(stage: Stage) -> None:
    bot = await stage.dial("")
    bot.message("before")
    bot.say(lifecycle())
    bot.message("after")
    await stage.seen.until(lambda: len(stage.seen.events) == 2)
    assert [key for key, _ in stage.seen.events] == [KEY, KEY]
    assert b"before" in stage.seen.events[0][1].raw
    assert stage.seen.happenings == [("online", KEY)]


async def test_unnamed_bot_is_named_by_its_login_info(open_stage: OpenStage) -> None:
    stage = await open_stage(Timing(greeting=0.05, sweep=0.1))
    bot = await stage.dial("")
    asked = await bot.action()
    assert asked["action"] == "get_login_info"
    bot.say({"status": "ok", "retcode": 0, "data": {"user_id": 10001, "nickname": "N"}, "echo": asked["echo"]})
    await stage.seen.until(lambda: ("online", KEY) in stage.seen.happenings)


async def test_bot_is_named_only_once(stage: Stage) -> None:
    bot = await stage.dial("")
    bot.say(lifecycle(10001))
    bot.say(lifecycle(666))
    bot.message(self_id=666)
    bot.message(self_id=10001)
    await stage.seen.until(lambda: bool(stage.seen.events))
    assert list(stage.hub.bots) == [KEY]
    assert [event.self_id for _, event in stage.seen.events] == ["10001"]
    assert stage.hub.counters["frame_self_id_mismatch"] == 2


async def test_unnamed_bot_that_says_nothing_is_closed(open_stage: OpenStage) -> None:
    stage = await open_stage(Timing(greeting=3600, unnamed=0.2, sweep=0.1))
    bot = await stage.dial("")
    code, reason = await bot.closed()
    assert code == 4008
    assert "X-Self-ID" in reason


async def test_meta_event_without_post_type_names_the_bot_and_its_platform(stage: Stage) -> None:
    bot = await stage.dial("")
    bot.say({"type": "meta_event", "meta_event_type": "lifecycle", "self_id": "wx1", "platform": "WeChat-Go"})
    await stage.seen.until(lambda: ("online", "wechat-go:wx1") in stage.seen.happenings)


async def test_event_of_another_bot_is_refused_and_counted(stage: Stage) -> None:
    bot = await stage.dial("10001")
    bot.message(self_id=10002)
    bot.message(self_id="10001")
    await stage.seen.until(lambda: bool(stage.seen.events))
    assert [event.self_id for _, event in stage.seen.events] == ["10001"]
    assert stage.hub.counters["frame_self_id_mismatch"] == 1


async def test_split_roles_are_paired_by_id(stage: Stage) -> None:
    event = await stage.dial("10001", path="/onebot/v11/event", X_Client_Role="Event")
    assert stage.hub.bots[KEY].state is BotState.CONNECTING
    assert not stage.hub.bots[KEY].call("send_msg", b"{}", lambda answer: None)
    api = await stage.dial("10001", path="/onebot/v11/api", X_Client_Role="API")
    assert stage.hub.bots[KEY].state is BotState.ONLINE
    answers: list[ActionResponse | None] = []
    stage.seen.react = lambda bot, _: assert_called(bot.call("send_msg", b'{"message":"hi"}', answers.append))
    event.message()
    action = await api.action()
    assert action["params"] == {"message": "hi"}
    api.say({"status": "ok", "retcode": 0, "data": None, "echo": action["echo"]})
    await stage.seen.until(lambda: bool(answers))
    event.hang_up()
    await stage.seen.until(lambda: stage.hub.bots[KEY].state is BotState.CONNECTING)
    api.hang_up()
    await stage.seen.until(lambda: ("offline", KEY) in stage.seen.happenings)


def assert_called(called: bool) -> None:
    assert called


async def test_newcomer_is_sent_away_while_the_older_link_is_alive(open_stage: OpenStage) -> None:
    stage = await open_stage(Timing(greeting=3600, probe=1.0))
    old = await stage.dial("10001")
    alive = asyncio.create_task(old.answer_pings())
    new = await stage.dial("10001")
    code, reason = await new.closed()
    assert code == 4009
    assert "127.0.0.1:" in reason
    assert stage.hub.counters["link_duplicate"] == 1
    old.message("still here")
    await stage.seen.until(lambda: bool(stage.seen.events))
    assert stage.seen.happenings == [("online", KEY)]
    alive.cancel()


async def test_newcomer_takes_over_when_the_older_link_fails_the_probe(open_stage: OpenStage) -> None:
    stage = await open_stage(Timing(greeting=3600, probe=0.3))
    await stage.dial("10001")  # reads nothing, so answers no ping
    new = await stage.dial("10001")
    new.message("from the newcomer, sent while the older link was probed")
    await stage.seen.until(lambda: bool(stage.seen.events))
    assert stage.seen.happenings == [("online", KEY), ("offline", KEY), ("online", KEY)]
    assert len(stage.hub.bots[KEY].links) == 1
    assert stage.hub.counters["link_replaced"] == 1


async def test_end_of_a_replaced_link_does_not_unregister_its_successor(open_stage: OpenStage) -> None:
    stage = await open_stage(Timing(greeting=3600, probe=0.2))
    old = await stage.dial("10001")
    new = await stage.dial("10001")
    await stage.seen.until(lambda: stage.seen.happenings.count(("online", KEY)) == 2)
    await old.ended()
    new.message()
    await stage.seen.until(lambda: bool(stage.seen.events))
    assert stage.hub.bots[KEY].state is BotState.ONLINE


async def test_newcomer_comes_in_at_once_when_the_older_link_ends_during_the_probe(open_stage: OpenStage) -> None:
    stage = await open_stage(Timing(greeting=3600, probe=5.0))
    old = await stage.dial("10001")
    new = await stage.dial("10001")
    old.hang_up()
    new.message()
    await stage.seen.until(lambda: bool(stage.seen.events))
    assert stage.hub.bots[KEY].state is BotState.ONLINE


async def test_of_two_newcomers_the_newest_waits(open_stage: OpenStage) -> None:
    stage = await open_stage(Timing(greeting=3600, probe=0.5))
    await stage.dial("10001")
    first = await stage.dial("10001")
    second = await stage.dial("10001")
    assert (await first.closed())[0] == 4001
    second.message()
    await stage.seen.until(lambda: bool(stage.seen.events))


async def test_dropped_bot_gets_the_code_and_reason(stage: Stage) -> None:
    bot = await stage.dial("10001")
    stage.hub.drop(KEY, 4001, "another nexus holds this bot now")
    assert await bot.closed() == (4001, "another nexus holds this bot now")
    assert stage.hub.bots[KEY].state is BotState.OFFLINE


async def test_shutdown_closes_with_1012_and_still_takes_what_was_sent(stage: Stage) -> None:
    bots = [await stage.dial(str(number)) for number in range(1, 21)]
    stopping = asyncio.create_task(stage.gateway.stop(grace=5.0))
    for number, bot in enumerate(bots, 1):
        assert (await bot.closed())[0] == 1012
        bot.message("sent before the Close was read", self_id=number)
        bot.frame(CLOSE, b"\x03\xf4")
    await stopping
    assert len(stage.seen.events) == 20
    assert sum(what == "offline" for what, _ in stage.seen.happenings) == 20


async def test_shutdown_does_not_wait_for_a_peer_that_does_not_close(stage: Stage) -> None:
    await stage.dial("1")
    async with asyncio.timeout(3):
        await stage.gateway.stop(grace=0.2)
    assert stage.hub.bots["qq:1"].state is BotState.OFFLINE


async def test_heartbeats_degrade_and_restore_a_bot(open_stage: OpenStage) -> None:
    stage = await open_stage(Timing(greeting=3600, sweep=0.1, heartbeat_slack=0.1))
    bot = await stage.dial("10001")
    beat = {"post_type": "meta_event", "meta_event_type": "heartbeat", "self_id": 10001}

    def is_state(state: BotState) -> bool:
        return stage.hub.bots[KEY].state is state

    bot.say(beat | {"interval": 60_000, "status": {"online": False, "good": True}})
    await stage.seen.until(lambda: is_state(BotState.DEGRADED))
    bot.say(beat | {"interval": 60_000, "status": {"online": True, "good": True}})
    await stage.seen.until(lambda: is_state(BotState.ONLINE))
    bot.say(beat | {"interval": 100, "status": {}})
    await stage.seen.until(lambda: is_state(BotState.DEGRADED))
    bot.say(beat | {"interval": 60_000})
    await stage.seen.until(lambda: is_state(BotState.ONLINE))
    assert not stage.seen.events


async def test_greeting_fills_nickname_and_groups(open_stage: OpenStage) -> None:
    stage = await open_stage(Timing(greeting=0.05, sweep=0.1))
    bot = await stage.dial("10001")
    for _ in range(2):
        asked = await bot.action()
        data: object = {"user_id": 10001, "nickname": "Nick"}
        if asked["action"] == "get_group_list":
            data = [{"group_id": 5, "group_name": "five"}, {"group_id": "6"}, "nonsense", {"group_id": True}]
        bot.say({"status": "ok", "retcode": 0, "data": data, "echo": asked["echo"]})
    await stage.seen.until(lambda: stage.hub.bots[KEY].groups == {"5": "five", "6": ""})
    assert stage.hub.bots[KEY].nickname == "Nick"


async def test_log_frames_are_dropped_and_counted(stage: Stage) -> None:
    bot = await stage.dial("10001")
    bot.say({"post_type": "log", "level": "INFO", "message": "x"})
    bot.frame(TEXT, b"[]")
    bot.frame(TEXT, b'{"post_type":"message","user_id":true}')
    bot.message()
    await stage.seen.until(lambda: bool(stage.seen.events))
    counters = stage.hub.counters
    assert (counters["frame_log"], counters["frame_not_an_object"], counters["frame_bad_id"]) == (1, 1, 1)

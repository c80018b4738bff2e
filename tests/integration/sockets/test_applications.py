"""OneBot v11 applications as workers: what each of them relies on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.integration.gateway.peers import BINARY, TEXT
from tests.integration.sockets.conftest import WORKER_TOKEN, Meeting, OpenMeeting, ok

from botmatrix.bus.hot_values import RateLimits
from botmatrix.nexus import closing
from botmatrix.nexus.timing import Timing


async def test_an_event_reaches_the_application_in_the_bots_own_bytes(meeting: Meeting) -> None:
    bot = await meeting.bot()
    app = await meeting.application()
    raw = b'{"post_type":"message","message_type":"private","self_id":10001,"user_id":7, "message":"\xe4\xbd\xa0"}'
    bot.frame(BINARY, raw)
    frame = await app.receive()
    assert (frame.opcode, frame.payload) == (TEXT, raw)


@pytest.mark.parametrize("echo", ["1", 2, 140329697109200, {"seq": 1}, {"reqid": "x"}, True, 1.5, [0]])
async def test_each_echo_comes_back_with_its_type(meeting: Meeting, echo: object) -> None:
    bot, app = await meeting.bot(), await meeting.application()
    app.say({"action": "get_login_info", "params": {}, "echo": echo})
    action = await bot.action()
    assert action["echo"] != echo
    bot.say(ok(action, {"user_id": 10001}))
    answer = await app.action()
    assert answer == {
        "status": "ok",
        "retcode": 0,
        "data": {"user_id": 10001},
        "message": "",
        "wording": "",
        "echo": echo,
    }


async def test_two_applications_may_use_the_same_echo_at_the_same_time(meeting: Meeting) -> None:
    bot = await meeting.bot()
    first, second = await meeting.application(), await meeting.application("/onebot/v11/app/10001?name=other")
    first.say({"action": "one", "echo": "1"})
    one = await bot.action()
    second.say({"action": "two", "echo": "1"})
    two = await bot.action()
    bot.say(ok(two, "second"))
    bot.say(ok(one, "first"))
    assert (await second.action())["data"] == "second"
    assert (await first.action())["data"] == "first"


async def test_an_answer_is_given_once_and_a_stray_one_never(meeting: Meeting) -> None:
    bot, app = await meeting.bot(), await meeting.application()
    app.say({"action": "a", "echo": "x"})
    action = await bot.action()
    for _ in range(3):
        bot.say(ok(action))
    bot.say({"status": "ok", "retcode": 0, "data": None, "echo": "nobody"})
    app.say({"action": "b", "echo": "y"})
    bot.say(ok(await bot.action()))
    assert [(await app.action())["echo"], (await app.action())["echo"]] == ["x", "y"]


async def test_a_call_that_the_bot_does_not_answer_fails_once_and_a_late_answer_is_swallowed(
    open_meeting: OpenMeeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botmatrix.nexus.sockets.asker.TIMEOUT", 0.2)
    meeting = await open_meeting(Timing(greeting=3600, sweep=0.1))
    bot, app = await meeting.bot(), await meeting.application()
    app.say({"action": "slow", "echo": 1})
    action = await bot.action()
    failure = await app.action()
    assert (failure["status"], failure["retcode"], failure["data"], failure["echo"]) == ("failed", 1401, None, 1)
    bot.say(ok(action))
    await meeting.seen.until(lambda: meeting.asker.counters["socket_action_late"] == 1)
    app.say({"action": "quick", "echo": 2})
    bot.say(ok(await bot.action()))
    assert (await app.action())["echo"] == 2


async def test_without_its_bot_every_call_fails_in_the_shape_of_a_bots_answer(meeting: Meeting) -> None:
    app = await meeting.application()
    app.say({"action": "get_status", "echo": {"seq": 1}})
    failure = await app.action()
    assert failure == {
        "status": "failed",
        "retcode": 1404,
        "data": None,
        "message": "there is no such bot",
        "wording": "there is no such bot",
        "echo": {"seq": 1},
    }


@pytest.mark.parametrize(("call", "retcode"), [({"echo": 1}, 1400), ({"action": "a", "params": [1], "echo": 1}, 1400)])
async def test_a_call_that_makes_no_sense_is_answered(meeting: Meeting, call: dict[str, Any], retcode: int) -> None:
    await meeting.bot()
    app = await meeting.application()
    app.say(call)
    assert (await app.action())["retcode"] == retcode


async def test_frames_that_are_no_calls_are_counted_and_the_link_lives_on(meeting: Meeting) -> None:
    bot, app = await meeting.bot(), await meeting.application()
    for frame in (b"", b"[]", b"{", b'"x"', b"\xff", b"null"):
        app.frame(TEXT, frame)
    app.say({"action": "a", "echo": 1})
    bot.say(ok(await bot.action()))
    assert (await app.action())["echo"] == 1
    assert meeting.sockets.counters["socket_frame_bad_json"] >= 5


async def test_heartbeats_of_the_bot_reach_its_application(meeting: Meeting) -> None:
    bot, app = await meeting.bot(), await meeting.application()
    beat = {"post_type": "meta_event", "meta_event_type": "heartbeat", "self_id": 10001, "interval": 5000, "time": 1}
    bot.say(beat)
    assert await app.action() == beat


async def test_the_hub_beats_for_a_bot_that_does_not(
    open_meeting: OpenMeeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botmatrix.nexus.sockets.application.HEARTBEAT", 0.2)
    meeting = await open_meeting(Timing(greeting=3600, sweep=0.1))
    app = await meeting.application()
    assert (await app.action())["status"] == {"online": False, "good": False}
    await meeting.bot()
    while not (beat := await app.action())["status"]["online"]:
        pass
    assert beat["self_id"] == 10001


async def test_a_split_pair_hears_on_one_half_and_asks_on_the_other(meeting: Meeting) -> None:
    bot = await meeting.bot()
    api = await meeting.application("/onebot/v11/app/10001/api?access_token=" + WORKER_TOKEN, token="")
    event = await meeting.application("/onebot/v11/app/10001/event/")
    bot.message("hi")
    assert (await event.action())["message"] == "hi"
    api.say({"action": "a", "echo": {"reqid": "r"}})
    bot.say(ok(await bot.action()))
    assert (await api.action())["echo"] == {"reqid": "r"}
    assert len(meeting.sockets.workers) == 1


async def test_each_bot_has_a_link_of_its_own(meeting: Meeting) -> None:
    first, second = await meeting.bot("10001"), await meeting.bot("20002")
    one = await meeting.application("/onebot/v11/app/10001?name=app")
    two = await meeting.application("/onebot/v11/app/qq:20002?name=app")
    second.message("to two", self_id=20002)
    first.message("to one")
    assert (await two.action())["message"] == "to two"
    assert (await one.action())["message"] == "to one"
    assert list(meeting.sockets.workers) == ["app"]


async def test_the_bare_path_serves_while_there_is_one_bot(meeting: Meeting) -> None:
    header = {"Authorization": f"Token {WORKER_TOKEN}"}
    await meeting.knock("/onebot/v11/app", 409, **header)
    await meeting.bot("10001")
    app = await meeting.application("/onebot/v11/app/")
    await meeting.bot("20002")
    await meeting.knock("/onebot/v11/app", 409, **header)
    assert "/onebot/v11/app/qq:10001, /onebot/v11/app/qq:20002" in meeting.answer
    app.hang_up()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 403),
        ({"Authorization": "Bearer right-token"}, 403),
        ({"Authorization": f"Bearer {WORKER_TOKEN}", "Upgrade": "-"}, 426),
        ({"Authorization": f"Bearer {WORKER_TOKEN}", "Origin": "http://evil.example"}, 403),
    ],
)
async def test_who_may_not_come_in_is_told_why(meeting: Meeting, headers: dict[str, str], status: int) -> None:
    await meeting.bot()
    await meeting.knock("/onebot/v11/app/10001", status, **headers)
    assert "10001" not in meeting.answer
    assert meeting.hub.refused()[0].status == status


async def test_a_newer_link_takes_the_place_of_the_older_one(meeting: Meeting) -> None:
    bot = await meeting.bot()
    old = await meeting.application()
    new = await meeting.application()
    assert (await old.closed())[0] == closing.SUPERSEDED
    bot.message("hi")
    assert (await new.action())["message"] == "hi"


async def test_links_that_live_a_moment_do_no_harm(meeting: Meeting) -> None:
    bot = await meeting.bot()
    for _ in range(20):
        (await meeting.application()).hang_up()
    app = await meeting.application()
    await meeting.seen.until(lambda: len(meeting.sockets.workers) == 1)
    bot.message("hi")
    assert (await app.action())["message"] == "hi"


async def test_what_was_not_written_goes_elsewhere_and_what_was_is_lost(meeting: Meeting) -> None:
    bot, app = await meeting.bot(), await meeting.application()
    count = 400
    for number in range(count):
        bot.message("x" * 20_000, message_id=number)
    await meeting.seen.until(lambda: meeting.hub.bots["qq:10001"].received == count)
    worker = meeting.sockets.workers["app-10001"]
    assert worker.waiting > 0
    app.hang_up()
    await meeting.seen.until(lambda: bool(meeting.unwritten))
    assert worker.counters["handed"] == worker.counters["lost_on_close"] == count - len(meeting.unwritten)
    ids = [json.loads(parcel.payload)["event"]["message_id"] for parcel in meeting.unwritten]
    assert ids == list(range(count - len(ids), count))
    assert all(parcel.pin.waiting == 0 for parcel in meeting.unwritten)
    assert worker.load.in_flight == 0


async def test_a_burst_to_a_slow_application_loses_nothing(meeting: Meeting) -> None:
    bot, app = await meeting.bot(), await meeting.application()
    count = 600
    for number in range(count):
        bot.message("x" * 20_000, message_id=number)
    await meeting.seen.until(lambda: meeting.hub.bots["qq:10001"].received == count)
    assert [(await app.action())["message_id"] for _ in range(count)] == list(range(count))
    assert not meeting.untaken


async def test_the_first_action_in_a_conversation_answers_its_oldest_event(meeting: Meeting) -> None:
    bot, app = await meeting.bot(), await meeting.application()
    for number in range(2):
        bot.message("hi", message_id=number)
        await app.action()
    worker = meeting.sockets.workers["app-10001"]
    app.say({"action": "send_msg", "params": {"user_id": 7, "message": "a"}, "echo": 1})
    await bot.action()
    app.say({"action": "send_private_msg", "params": {"user_id": "7", "message": "b"}, "echo": 2})
    await bot.action()
    app.say({"action": "send_msg", "params": {"user_id": 8, "message": "c"}, "echo": 3})
    await bot.action()
    assert (worker.counters["handed"], worker.counters["answered"], worker.load.in_flight) == (2, 2, 0)
    assert worker.load.ewma > 0


async def test_an_event_that_needs_no_answer_is_over_after_a_while(
    open_meeting: OpenMeeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botmatrix.nexus.sockets.worker.SILENT_SECONDS", 0.2)
    meeting = await open_meeting(Timing(greeting=3600, sweep=0.1))
    bot, app = await meeting.bot(), await meeting.application()
    bot.message("hi")
    await app.action()
    worker = meeting.sockets.workers["app-10001"]
    await meeting.seen.until(lambda: worker.counters["silent"] == 1)
    assert (worker.load.in_flight, worker.load.ewma) == (0, 0.0)


async def test_a_call_that_does_not_say_whose_it_is_answers_what_waits_longest(meeting: Meeting) -> None:
    bot, first = await meeting.bot(), await meeting.application()
    bot.message("hi", message_id=1)
    await first.action()
    await meeting.application("/onebot/v11/app/10001?name=second")
    params = b'{"user_id":7,"message":"by HTTP"}'
    assert meeting.sockets.called("qq:10001", params) == "e"
    assert meeting.sockets.called("qq:10001", params) == ""
    assert meeting.sockets.called("qq:10001", b"") == ""
    assert meeting.sockets.called("qq:20002", params) == ""
    worker = meeting.sockets.workers["app-10001"]
    assert (worker.counters["answered"], worker.load.in_flight) == (1, 0)


async def test_what_is_sent_keeps_to_the_limits(meeting: Meeting) -> None:
    bot, app = await meeting.bot(), await meeting.application()
    meeting.asker.turns.pace.adjust(RateLimits(send_target_per_min=1))
    for number, user in enumerate((7, 7, 8)):
        app.say({"action": "send_msg", "params": {"user_id": user, "message": str(number)}, "echo": number})
    app.say({"action": "get_status", "params": {"user_id": 7}, "echo": 9})
    came = [await bot.action() for _ in range(3)]
    assert [frame["params"].get("message") for frame in came] == ["0", "2", None]
    assert (meeting.asker.counters["socket_action_paced"], meeting.asker.turns.waiting) == (1, 1)
    meeting.asker.turns.pace.adjust(RateLimits())
    last = await bot.action()
    bot.say(ok(last, None))
    answer = await app.action()
    assert (last["params"]["message"], answer["echo"]) == ("1", 1)

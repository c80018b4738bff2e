"""Old workers: they name a bot in each request and know nothing of streams."""

from __future__ import annotations

import re

import pytest
from tests.integration.sockets.conftest import Meeting, ok


@pytest.mark.parametrize("path", ["/ws/workers", "/ws/workers/", "/ws/worker", "/?role=worker"])
async def test_an_old_worker_hears_flat_events_with_text_ids(meeting: Meeting, path: str) -> None:
    bot, worker = await meeting.bot(), await meeting.old_worker(path)
    bot.message("hi", message_id=5)
    event = await worker.action()
    assert re.fullmatch(r"evt_\d+_\d{1,3}", event.pop("echo"))
    assert event == {
        "post_type": "message",
        "message_type": "private",
        "self_id": "10001",
        "user_id": "7",
        "message": "hi",
        "message_id": "5",
        "platform": "qq",
    }


async def test_a_request_reaches_the_bot_that_it_names(meeting: Meeting) -> None:
    await meeting.bot("10001")
    second, worker = await meeting.bot("20002"), await meeting.old_worker()
    worker.say({"action": "send_msg", "params": {"user_id": "7", "message": "a"}, "echo": "x", "self_id": "20002"})
    action = await second.action()
    assert action["params"] == {"user_id": "7", "message": "a"}
    second.say(ok(action, {"message_id": 1}))
    answer = await worker.action()
    assert (answer["status"], answer["data"], answer["echo"]) == ("ok", {"message_id": 1}, "x")


async def test_a_passive_reply_is_sent_and_not_answered(meeting: Meeting) -> None:
    bot, worker = await meeting.bot(), await meeting.old_worker()
    bot.message("hi")
    event = await worker.action()
    worker.say({"reply": "hello", "self_id": event["self_id"], "user_id": event["user_id"], "echo": event["echo"]})
    action = await bot.action()
    assert (action["action"], action["params"]["message"], action["params"]["user_id"]) == ("send_msg", "hello", "7")
    bot.say(ok(action))
    worker.say({"action": "get_status", "self_id": "10001", "echo": "next"})
    bot.say(ok(await bot.action()))
    assert (await worker.action())["echo"] == "next"


@pytest.mark.parametrize("names", [{}, {"self_id": "9"}, {"params": {"group_id": "77"}}])
async def test_a_request_never_leaves_by_the_first_bot(meeting: Meeting, names: dict[str, object]) -> None:
    await meeting.bot("10001")
    await meeting.bot("20002")
    worker = await meeting.old_worker()
    worker.say({"action": "send_msg", "echo": "x", **names})
    failure = await worker.action()
    assert (failure["retcode"], failure["echo"], failure["data"]) == (1404, "x", None)
    assert failure["msg"].startswith("No Bot available")


async def test_the_bot_of_the_group_is_found(meeting: Meeting) -> None:
    bot, _ = await meeting.bot("10001"), await meeting.bot("20002")
    meeting.hub.bots["qq:10001"].groups = {"77": "Group"}
    worker = await meeting.old_worker()
    worker.say({"action": "send_msg", "params": {"group_id": "77", "message": "a"}, "echo": "x"})
    assert (await bot.action())["params"]["group_id"] == "77"


async def test_a_registration_is_kept_and_a_skill_result_is_discarded(meeting: Meeting) -> None:
    await meeting.bot()
    worker = await meeting.old_worker("/ws/workers?worker_id=w1")
    worker.say({"type": "register_capabilities", "capabilities": [{"name": "checkin"}]})
    worker.say({"type": "skill_result", "execution_id": "e", "result": "x", "status": "success"})
    await meeting.seen.until(lambda: meeting.sockets.counters["skill_result_ignored"] == 1)
    assert meeting.sockets.workers["w1"].capabilities == [{"name": "checkin"}]


async def test_of_several_bots_in_a_group_the_one_that_was_heard_there_is_meant(meeting: Meeting) -> None:
    _, second = await meeting.bot("10001"), await meeting.bot("20002")
    for bot in meeting.hub.bots.values():
        bot.groups = {"77": "Group"}
    worker = await meeting.old_worker()
    worker.say({"action": "send_msg", "params": {"group_id": "77", "message": "a"}, "echo": "x"})
    assert (await worker.action())["retcode"] == 1404
    second.say({"post_type": "message", "message_type": "group", "self_id": 20002, "group_id": 77, "user_id": 7})
    await worker.action()
    worker.say({"action": "send_msg", "params": {"group_id": "77", "message": "b"}, "echo": "y"})
    assert (await second.action())["params"]["message"] == "b"


@pytest.mark.parametrize("answer", [{"retcode": 1200}, {"retcode": 1, "msg": "you were removed"}])
async def test_a_bot_that_was_removed_from_a_group_is_not_its_bot_any_more(
    meeting: Meeting, answer: dict[str, object]
) -> None:
    bot = await meeting.bot("10001")
    meeting.hub.bots["qq:10001"].groups = {"77": "Group", "78": "Other"}
    worker = await meeting.old_worker()
    worker.say({"action": "send_msg", "params": {"group_id": "77", "message": "a"}, "echo": 1})
    action = await bot.action()
    bot.say({"status": "failed", "data": None, "echo": action["echo"], **answer})
    assert (await worker.action())["retcode"] == answer["retcode"]
    worker.say({"action": "send_msg", "params": {"group_id": "77", "message": "b"}, "echo": 2})
    assert (await worker.action())["retcode"] == 1404
    asked = await bot.action()
    assert asked["action"] == "get_group_list"
    bot.say(ok(asked, [{"group_id": 79, "group_name": "New"}]))
    await meeting.seen.until(lambda: meeting.hub.bots["qq:10001"].groups == {"79": "New"})


async def test_a_bot_that_is_away_takes_nothing(meeting: Meeting) -> None:
    bot, worker = await meeting.bot("10001"), await meeting.old_worker()
    bot.hang_up()
    await meeting.seen.until(lambda: not meeting.hub.bots["qq:10001"].links)
    worker.say({"action": "send_msg", "self_id": "10001", "echo": "x"})
    failure = await worker.action()
    assert (failure["status"], failure["retcode"], failure["echo"]) == ("failed", 1400, "x")
    assert failure["msg"].startswith("Failed to forward to any Bot")

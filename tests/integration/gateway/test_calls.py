"""Actions towards a bot and their answers."""

from __future__ import annotations

from tests.integration.gateway.conftest import OpenStage
from tests.integration.gateway.peers import Stage

from botmatrix.nexus.timing import Timing
from botmatrix.onebot.action import ActionResponse

KEY = "qq:10001"


class Answers(list[ActionResponse | None]):
    """What `on_answer` was called with."""


async def test_answer_reaches_its_caller_once(stage: Stage) -> None:
    bot = await stage.dial("10001")
    first, second = Answers(), Answers()
    assert stage.hub.bots[KEY].call("send_msg", b'{"a":1}', first.append)
    assert stage.hub.bots[KEY].call("get_status", b"", second.append)
    one, two = await bot.action(), await bot.action()
    assert (one["params"], two["params"]) == ({"a": 1}, {})
    assert one["echo"] != two["echo"]
    for action in (two, one, one):
        bot.say(
            {"status": "failed", "retcode": 1404, "data": None, "message": action["action"], "echo": action["echo"]}
        )
    await stage.seen.until(lambda: stage.hub.counters.get("answer_twice") == 1)
    assert [len(first), len(second)] == [1, 1]
    assert first[0] is not None
    assert (first[0].message, first[0].retcode) == ("send_msg", 1404)


async def test_answers_that_nobody_asked_for_are_counted(stage: Stage) -> None:
    bot = await stage.dial("10001")
    answers = Answers()
    stage.hub.bots[KEY].call("x", b"{}", answers.append)
    echo = (await bot.action())["echo"]
    for wrong in ({"echo": 1}, {"echo": {"seq": 1}}, {"echo": "other"}, {"echo": echo + "0"}, {"echo": ""}, {}):
        bot.say({"status": "ok", "retcode": 0, "data": None} | wrong)
    bot.say({"status": "ok", "retcode": 0, "data": {"right": True}, "echo": echo})
    await stage.seen.until(lambda: bool(answers))
    assert answers[0] is not None
    assert bytes(answers[0].data) == b'{"right": true}'
    counters = stage.hub.counters
    assert counters["frame_answer_bad_echo"] == 2
    assert counters["frame_answer_without_echo"] == 2
    assert counters["answer_unknown_echo"] == 2


async def test_call_without_an_answer_ends_with_none_and_a_late_answer_makes_it_known(open_stage: OpenStage) -> None:
    stage = await open_stage(Timing(greeting=3600, sweep=0.1))
    bot = await stage.dial("10001")
    answers = Answers()
    assert stage.hub.bots[KEY].call("slow", b"{}", answers.append, timeout=0.1)
    action = await bot.action()
    await stage.seen.until(lambda: bool(answers))
    assert answers == [None]
    assert stage.hub.bots[KEY].failed == 1
    for _ in range(2):
        bot.say({"status": "ok", "retcode": 0, "data": None, "echo": action["echo"]})
    await stage.seen.until(lambda: stage.hub.counters.get("answer_twice") == 1)
    assert stage.hub.counters["answer_late"] == 1
    assert len(answers) == 2
    assert answers[1] is not None


async def test_calls_end_with_none_when_the_link_ends(stage: Stage) -> None:
    bot = await stage.dial("10001")
    answers = Answers()
    for _ in range(3):
        stage.hub.bots[KEY].call("x", b"{}", answers.append)
    bot.hang_up()
    await stage.seen.until(lambda: len(answers) == 3)
    assert answers == [None, None, None]
    assert not stage.hub.bots[KEY].call("x", b"{}", answers.append)


async def test_at_most_1024_actions_wait_for_answers(stage: Stage) -> None:
    bot = await stage.dial("10001")
    answers = Answers()
    called = [stage.hub.bots[KEY].call("x", b"{}", answers.append) for _ in range(1030)]
    assert sum(called) == 1024
    action = await bot.action()
    bot.say({"status": "ok", "retcode": 0, "data": None, "echo": action["echo"]})
    await stage.seen.until(lambda: bool(answers))
    assert stage.hub.bots[KEY].call("x", b"{}", answers.append)


async def test_only_the_last_part_of_a_stream_is_the_answer(stage: Stage) -> None:
    bot = await stage.dial("10001")
    answers = Answers()
    stage.hub.bots[KEY].call("download_file_stream", b"{}", answers.append)
    answer = {"status": "ok", "retcode": 0, "echo": (await bot.action())["echo"], "stream": "stream-action"}
    for number in range(3):
        bot.say(answer | {"data": {"type": "stream", "data": "x" * 100, "index": number}})
    bot.say(answer | {"data": {"type": "response", "data_type": "file_complete"}})
    await stage.seen.until(lambda: bool(answers))
    assert answers[0] is not None
    assert b"file_complete" in bytes(answers[0].data)
    assert stage.hub.counters["frame_answer_stream_part"] == 3


async def test_bot_that_reads_nothing_is_closed_with_1013_and_alone(open_stage: OpenStage) -> None:
    stage = await open_stage(Timing(greeting=3600, sweep=0.1, closing=0.2))
    await stage.dial("10001")
    other = await stage.dial("2")
    bot, answers = stage.hub.bots[KEY], Answers()
    sent = 0
    while bot.call("send_msg", b'{"message":"%b"}' % (b"x" * 60_000), answers.append):
        sent += 1
        assert sent <= 1024
    assert stage.hub.counters["link_slow_reader"] == 1
    assert answers == [None] * sent
    await stage.seen.until(lambda: ("offline", KEY) in stage.seen.happenings)
    other.message(self_id=2)
    await stage.seen.until(lambda: bool(stage.seen.events))


async def test_burst_of_large_pictures_is_no_slow_reader(stage: Stage) -> None:
    bot = await stage.dial("10001")
    picture = b'{"message":"%b"}' % (b"x" * 3_000_000)
    assert all(stage.hub.bots[KEY].call("send_msg", picture, lambda answer: None) for _ in range(5))
    for _ in range(5):
        assert len((await bot.action())["params"]["message"]) == 3_000_000


async def test_actions_reach_only_their_own_bot_with_the_same_echo_counters(stage: Stage) -> None:
    one, two = await stage.dial("1"), await stage.dial("2")
    first, second = Answers(), Answers()
    stage.hub.bots["qq:1"].call("x", b"{}", first.append)
    stage.hub.bots["qq:2"].call("x", b"{}", second.append)
    foreign = (await two.action())["echo"]
    one.say({"status": "ok", "retcode": 0, "data": 1, "echo": foreign})
    await stage.seen.until(lambda: stage.hub.counters.get("answer_unknown_echo") == 1)
    assert not first
    assert not second

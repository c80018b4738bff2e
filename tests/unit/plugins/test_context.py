"""What a handler sees of an event, and what leaves early."""

from __future__ import annotations

import pytest
from tests.unit.plugins.conftest import Open
from tests.unit.plugins.fakes import Platform, Result, actions, message, private, replies

from botmatrix.errors import ActionUnknown
from botmatrix.worker.outcome import Dead, Done

SEE = """
    @plugin.on_message()
    async def see(ctx):
        return "|".join([
            ctx.bot, ctx.platform, ctx.self_id, ctx.user_id, ctx.group_id, ctx.message_id, ctx.text,
            str(len(ctx.message)), str(len(ctx.args)), ctx.trace_id, str(ctx.to_me), str(ctx.received_at),
        ])
"""


async def test_context_tells_who_said_what_where(open_room: Open) -> None:
    room = await open_room(SEE)
    id = "e" * 24
    assert await room.say(" hi ") == [f"qq:10001|qq|10001|123|456|9|hi|1|0|{id}|False|1699999999.988"]
    (answer,) = replies(await room.handle(private("hi")))
    assert answer == f"qq:10001|qq|10001|123||9|hi|1|0|{id}|True|1699999999.988"
    at = {"type": "at", "data": {"qq": "10001"}}
    text = {"type": "text", "data": {"text": " hi "}}
    assert "|hi|2|0|" in (await room.say([at, text]))[0]
    assert "|True|" in (await room.say([text, at]))[0]


async def test_what_was_said_leaves_before_a_call_and_the_rest_with_the_event(
    open_room: Open, platform: Platform
) -> None:
    room = await open_room("""
        @plugin.on_message()
        async def draw(ctx):
            await ctx.reply("drawing...")
            info = await ctx.call("get_login_info")
            await ctx.reply("one")
            await ctx.flush()
            id = await ctx.reply("two", now=True)
            await ctx.reply(f"{info['nickname']} {id}")
    """)
    platform.answers["get_login_info"] = {"nickname": "bot"}
    assert await room.say("x") == ["bot 77"]
    early = [params.get("message", [{}])[0].get("data") for _, params in platform.sent]
    assert early == [{"text": "drawing..."}, None, {"text": "one"}, {"text": "two"}]
    entries = [entry for entry, _ in platform.done.values()]
    assert {entry.exp for entry in entries} == {int(platform.clock.now() * 1000) + 30_000}


async def test_second_run_repeats_nothing_and_gets_the_first_answers(open_room: Open, platform: Platform) -> None:
    room = await open_room("""
        runs = []
        @plugin.on_message()
        async def draw(ctx):
            runs.append(1)
            await ctx.reply("drawing...")
            id = await ctx.reply("now", now=True)
            if len(runs) == 1: raise ValueError
            await ctx.reply(id)
    """)
    outcome = await room.handle(message("x"))
    assert isinstance(outcome, Done)
    assert replies(outcome) == ["77"]
    assert [action for action, _ in platform.sent] == ["send_msg", "send_msg"]
    assert len({*platform.done, *(entry.aid for entry in actions(outcome))}) == 3


async def test_call_gives_data_and_writes_ids_as_the_bot_does(open_room: Open, platform: Platform) -> None:
    room = await open_room("""
        @plugin.on_message()
        async def ban(ctx):
            return str(await ctx.call("set_group_ban", group_id=ctx.group_id, user_id=ctx.user_id, duration=60))
    """)
    platform.answers["set_group_ban"] = Result("DONE")
    assert await room.say("x") == ["None"]
    await room.handle(message("x", self_id="10001", group_id="456", user_id="123"), "f" * 24)
    assert [params for _, params in platform.sent] == [
        {"group_id": 456, "user_id": 123, "duration": 60},
        {"group_id": "456", "user_id": "123", "duration": 60},
    ]


async def test_failed_expired_and_unknown_calls_raise_what_they_are(open_room: Open, platform: Platform) -> None:
    room = await open_room("""
        @plugin.on_message(regex="(?P<action>.+)")
        async def call(ctx, action: str):
            try:
                await ctx.call(action)
            except ActionFailed as failed:
                return f"failed {failed.retcode} {failed.message} {failed.action}"
            except ActionUnknown as unknown:
                return f"unknown {unknown.action}"
    """)
    platform.answers["expired"] = Result("EXPIRED")
    platform.answers["offline"] = Result("OFFLINE")
    platform.answers["stranger"] = Result("NOBOT")
    platform.answers["unknown"] = ActionUnknown()
    platform.answers["waiting"] = Result("SENT")
    for action, expected in {
        "refused": "failed 1404 no such action refused",
        "expired": "failed 1400 not sent in time expired",
        "offline": "failed 1400 the bot is offline offline",
        "stranger": "failed 1404 there is no such bot stranger",
        "unknown": "unknown unknown",
        "waiting": "unknown waiting",
    }.items():
        assert await room.say(action, id="x") == [expected]
        platform.done.clear()


async def test_send_speaks_elsewhere_and_through_another_bot(open_room: Open) -> None:
    room = await open_room("""
        @plugin.on_message()
        async def tell(ctx):
            await ctx.send("qq:group:77", "a")
            await ctx.send("QQ:private:88", At(1))
            await ctx.send("wechat@wx_1:group:room@chat", "c")
            await ctx.send(None, "here")
    """)
    outcome = await room.handle(message("x"))
    assert [(entry.bot, bytes(entry.params).decode().partition(',"message":')[0]) for entry in actions(outcome)] == [
        ("qq:10001", '{"message_type":"group","group_id":77'),
        ("qq:10001", '{"message_type":"private","user_id":88'),
        ("wechat:wx_1", '{"message_type":"group","group_id":"room@chat"'),
        ("qq:10001", '{"message_type":"group","group_id":456'),
    ]


async def test_reply_is_never_cq(open_room: Open) -> None:
    room = await open_room("""
        @plugin.on_message()
        async def parrot(ctx): return ctx.text
    """)
    (entry,) = actions(await room.handle(message("[CQ:at,qq=all]")))
    assert b'"message":[{"type":"text","data":{"text":"[CQ:at,qq=all]"}}]' in bytes(entry.params)


async def test_nothing_can_be_replied_where_nobody_is(open_room: Open) -> None:
    room = await open_room("""
        @plugin.on_notice()
        async def lost(ctx): return "hm"
    """)
    outcome = await room.handle({"post_type": "notice", "notice_type": "offline"})
    assert isinstance(outcome, Dead)
    assert outcome.reason == "handler_error: mine.lost ValueError"


async def test_sync_handler_replies_by_returning_and_by_reply(open_room: Open) -> None:
    room = await open_room("""
        import threading
        @plugin.on_message()
        def work(ctx):
            ctx.reply("first")
            return str(threading.current_thread() is threading.main_thread())
    """)
    assert await room.say("x") == ["first", "False"]


async def test_empty_results_are_no_reply(open_room: Open) -> None:
    room = await open_room("""
        @plugin.on_message()
        async def a(ctx): return ""
        @plugin.on_message()
        async def b(ctx): return Message()
        @plugin.on_message()
        async def c(ctx): return None
        @plugin.on_message()
        async def d(ctx): return Face(1)
    """)
    assert await room.say("x") == ["[CQ:face,id=1]"]


async def test_finish_ends_the_handler_from_anywhere(open_room: Open) -> None:
    room = await open_room("""
        def deep(ctx): ctx.finish("done")

        @plugin.command("go")
        async def go(ctx):
            await ctx.reply("first")
            deep(ctx)
            await ctx.reply("never")

        @plugin.command("quiet")
        def quiet(ctx): ctx.finish()
        """)
    assert await room.say("/go") == ["first", "done"]
    assert await room.say("/quiet") == []


@pytest.mark.parametrize("timeout", [0, -1, 3601])
async def test_a_question_waits_for_a_time_that_can_be(open_room: Open, timeout: int) -> None:
    room = await open_room(f"@plugin.command('go')\nasync def go(ctx): await ctx.ask('?', timeout={timeout})")
    outcome = await room.handle(message("/go"))
    assert isinstance(outcome, Dead)
    assert "ValueError" in outcome.reason

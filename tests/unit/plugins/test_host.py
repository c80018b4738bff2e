"""An event's way through the handlers."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from tests.unit.plugins.conftest import Open
from tests.unit.plugins.fakes import Platform, actions, envelope, message, private, replies

from botmatrix.errors import EngineUnavailable
from botmatrix.worker.outcome import Dead, Done, Retry
from botmatrix.worker.plugins.host import Host

ECHO = """
    @plugin.command("echo", aliases={"say"})
    async def echo(ctx):
        await ctx.reply(ctx.args)
"""


async def test_command_is_found_after_its_prefix_whatever_its_case(open_room: Open) -> None:
    room = await open_room(ECHO)
    assert await room.say("/echo hi  there ") == ["hi  there "]
    assert await room.say("/SAY\nhi") == ["hi"]
    for other in ("echo hi", "/echoes hi", "/ echo hi", "x /echo hi", "//echo hi", "/", ""):
        assert await room.say(other) == []


async def test_prefixes_are_read_anew_for_each_event(open_room: Open) -> None:
    room = await open_room(ECHO)
    room.platform.settings.command_prefixes = ["!", "！"]
    assert await room.say("！echo hi") == ["hi"]
    assert await room.say("/echo hi") == []


async def test_command_hands_on_the_segments_after_it(open_room: Open) -> None:
    room = await open_room(ECHO)
    said = [
        {"type": "text", "data": {"text": "/echo look "}},
        {"type": "face", "data": {"id": "3"}},
        {"type": "text", "data": {"text": " there"}},
    ]
    assert await room.say(said) == ["look [CQ:face,id=3] there"]
    assert replies(await room.handle(message([], message="/echo a&#44;b[CQ:face,id=3]"))) == ["a,b[CQ:face,id=3]"]


async def test_at_the_bot_stands_for_a_prefix(open_room: Open) -> None:
    room = await open_room(ECHO)
    at = {"type": "at", "data": {"qq": 10001}}
    for words in (" echo hi", " /echo hi", "echo hi"):
        assert await room.say([at, {"type": "text", "data": {"text": words}}]) == ["hi"]
    other = {"type": "at", "data": {"qq": "5"}}
    assert await room.say([other, {"type": "text", "data": {"text": " echo hi"}}]) == []


async def test_quoting_the_bot_stands_for_a_prefix(open_room: Open, platform: Platform) -> None:
    room = await open_room(ECHO)
    said = [{"type": "reply", "data": {"id": "9"}}, {"type": "text", "data": {"text": "echo hi"}}]
    platform.answers["get_msg"] = {"sender": {"user_id": 10001}}
    assert await room.say(said) == ["hi"]
    assert platform.sent == [("get_msg", {"message_id": 9})]


async def test_quoting_somebody_else_does_not(open_room: Open, platform: Platform) -> None:
    room = await open_room(ECHO)
    said = [{"type": "reply", "data": {"id": "9"}}, {"type": "text", "data": {"text": "echo hi"}}]
    platform.answers["get_msg"] = {"sender": {"user_id": 5}}
    assert await room.say(said) == []
    platform.answers["get_msg"] = {"odd": True}
    platform.done.clear()
    assert await room.say(said) == []


async def test_a_quote_is_only_looked_up_where_a_command_depends_on_it(open_room: Open, platform: Platform) -> None:
    room = await open_room(ECHO)
    reply = {"type": "reply", "data": {"id": "9"}}
    assert await room.say([reply, {"type": "text", "data": {"text": "nice"}}]) == []
    assert platform.sent == []
    by_author = {"type": "reply", "data": {"id": "9", "qq": 10001}}
    assert await room.say([by_author, {"type": "text", "data": {"text": "echo hi"}}]) == ["hi"]
    assert platform.sent == []


async def test_bare_command_is_the_whole_message(open_room: Open) -> None:
    room = await open_room("""
        @plugin.command("签到", bare=True)
        async def sign(ctx): return "ok"
    """)
    assert await room.say(" 签到 ") == ["ok"]
    assert await room.say("/签到") == ["ok"]
    assert await room.say("签到了") == []
    assert await room.say("签到 吧") == []


async def test_the_bot_never_answers_itself(open_room: Open) -> None:
    room = await open_room(
        ECHO
        + """
    @plugin.on_message()
    async def anything(ctx): return "heard"
"""
    )
    assert await room.say("/echo hi", user_id=10001) == []
    assert await room.say("/echo hi", user_id="10001") == []
    assert await room.say("/echo hi", post_type="message_sent") == []
    assert await room.say("hello") == ["heard"]


async def test_regex_groups_become_typed_arguments(open_room: Open) -> None:
    room = await open_room(r"""
        @plugin.on_message(regex=r"^roll (?P<n>\d+)(?: (?P<sides>\w+))?$")
        def roll(ctx, n: int, sides: Optional[int] = 6): return f"{n + 1} {sides}"
    """)
    assert await room.say("roll 3") == ["4 6"]
    assert await room.say("roll 3 8") == ["4 8"]
    assert await room.say("roll 3 x") == []  # found, but not of the type
    assert await room.say("roll x") == []


async def test_notices_and_requests_reach_those_who_asked_for_their_kind(open_room: Open) -> None:
    room = await open_room("""
        @plugin.on_notice("group_increase", "notify.poke")
        async def some(ctx): return "some"
        @plugin.on_notice()
        async def all(ctx): return "all"
        @plugin.on_request("friend")
        async def friend(ctx): await ctx.send(None, "friend")
    """)

    async def tell(**fields: object) -> list[str]:
        return replies(await room.handle(message([], **fields)))

    assert await tell(post_type="notice", notice_type="group_increase") == ["some", "all"]
    assert await tell(post_type="notice", notice_type="notify", sub_type="poke") == ["some", "all"]
    assert await tell(post_type="notice", notice_type="notify", sub_type="honor") == ["all"]
    assert await tell(post_type="request", request_type="friend", group_id=None) == ["friend"]
    assert await tell(post_type="request", request_type="group") == []
    assert await tell(post_type="meta_event", meta_event_type="heartbeat") == []


async def test_handlers_run_by_priority_until_one_blocks(open_room: Open) -> None:
    room = await open_room(
        """
        @plugin.on_message(priority=20)
        async def late(ctx): return "late"
        @plugin.on_message(priority=5)
        async def early(ctx): return "early"
        @plugin.command("go", priority=7, block=False)
        async def go(ctx): return "go"
        @plugin.command("stop", priority=7)
        async def stop(ctx): return "stop"
        """,
        other="""
        @plugin.on_message(priority=5)
        async def early(ctx): return "early too"
        """,
    )
    assert await room.say("/go") == ["early", "early too", "go", "late"]
    assert await room.say("/stop") == ["early", "early too", "stop"]
    assert await room.say("x") == ["early", "early too", "late"]


async def test_reply_goes_where_it_was_said_with_ids_in_their_type(open_room: Open) -> None:
    room = await open_room(ECHO)

    async def params(event: dict[str, object]) -> dict[str, object]:
        (entry,) = actions(await room.handle(event))
        assert (entry.bot, entry.action, entry.eid) == ("qq:10001", "send_msg", "e" * 24)
        found: dict[str, object] = msgspec.json.decode(entry.params)
        del found["message"]
        return found

    assert await params(message("/echo x")) == {"message_type": "group", "group_id": 456}
    assert await params(message("/echo x", group_id="456")) == {"message_type": "group", "group_id": "456"}
    assert await params(private("/echo x")) == {"message_type": "private", "user_id": 123}
    assert await params(private("/echo x", group_id=0)) == {"message_type": "private", "user_id": 123}


async def test_action_ids_are_the_same_when_a_handler_runs_again_and_differ_otherwise(
    open_room: Open,
) -> None:
    room = await open_room("""
        @plugin.command("two")
        async def two(ctx):
            ctx.reply("a")
            ctx.reply("a")
    """)

    async def ids(event_id: str) -> list[str]:
        return [entry.aid for entry in actions(await room.handle(message("/two"), event_id))]

    first, second = await ids("a" * 24), await ids("b" * 24)
    assert first == await ids("a" * 24)
    assert len({*first, *second}) == 4
    assert all(len(aid) == 24 and int(aid, 16) >= 0 for aid in first)


async def test_buffered_actions_expire_thirty_seconds_after_the_handler(open_room: Open) -> None:
    room = await open_room(ECHO)
    (entry,) = actions(await room.handle(message("/echo hi")))
    assert entry.exp == int(room.platform.clock.now() * 1000) + 30_000


async def test_handler_that_raises_is_run_once_more_with_the_same_ids(open_room: Open) -> None:
    room = await open_room("""
        runs = []
        @plugin.command("try")
        async def attempt(ctx):
            runs.append(ctx)
            await ctx.reply(f"run {len(runs)}")
            if len(runs) % 2: raise ValueError("odd")
        @plugin.command("once")
        async def once(ctx): await ctx.reply("x")
    """)
    outcome = await room.handle(message("/try"))
    assert isinstance(outcome, Done)
    assert replies(outcome) == ["run 2"]
    again = await room.handle(message("/try"))
    assert [entry.aid for entry in actions(again)] == [entry.aid for entry in actions(outcome)]


async def test_plugin_that_fails_twice_loses_its_actions_and_others_keep_theirs(
    open_room: Open, caplog: pytest.LogCaptureFixture
) -> None:
    room = await open_room(
        """
        @plugin.on_message(priority=1)
        async def good(ctx): return "dropped: same plugin"
        @plugin.on_message()
        async def bad(ctx):
            await ctx.reply("dropped")
            raise KeyError("secret")
        """,
        other="""
        @plugin.on_message(priority=20)
        async def kept(ctx): return "kept"
        """,
    )
    outcome = await room.handle(message("x"))
    assert isinstance(outcome, Dead)
    assert outcome.reason == "handler_error: mine.bad KeyError"
    assert replies(outcome) == ["kept"]
    assert "Traceback" in caplog.text
    assert "botmatrix_plugin_mine" in caplog.text or "mine.py" in caplog.text


@pytest.mark.parametrize(
    "code",
    [
        "raise SystemExit(3)",
        "import asyncio; raise asyncio.CancelledError",
        "return 5",
        "await ctx.reply('')",
        "await ctx.send('nowhere', 'x')",
        "await ctx.send('wechat:group:1', 'x')",
        "await ctx.call('nothing')",
    ],
)
async def test_whatever_a_handler_raises_ends_as_a_dead_letter(open_room: Open, code: str) -> None:
    room = await open_room(f"""
        @plugin.on_message()
        async def bad(ctx):
            {code}
    """)
    outcome = await room.handle(message("x"))
    assert isinstance(outcome, Dead)
    assert outcome.reason.startswith("handler_error: mine.bad ")


async def test_retry_asks_for_the_whole_event_again(open_room: Open) -> None:
    room = await open_room("""
        @plugin.on_message()
        async def busy(ctx):
            await ctx.reply("dropped")
            raise Retry(8, "rate limited")
        @plugin.on_message(priority=20)
        async def after(ctx): return "not reached"
    """)
    assert await room.handle(message("x")) == Retry(timedelta(seconds=8), "rate limited")


async def test_engine_that_is_away_is_no_fault_of_the_handler(
    open_room: Open, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = await open_room("""
        @plugin.on_message()
        async def ask(ctx): await ctx.call("get_status")
    """)

    async def away(_: object) -> None:
        raise EngineUnavailable("redis", "connection refused")

    monkeypatch.setattr(platform, "call", away)
    outcome = await room.handle(message("x"))
    assert isinstance(outcome, Retry)
    assert outcome.reason == "redis unavailable"


async def test_wrong_words_are_answered_with_the_usage(open_room: Open) -> None:
    room = await open_room("""
        @plugin.command("天气")
        async def weather(ctx, city: str, *, days: int = 1): return f"{city} {days}"
    """)
    assert await room.say("/天气 北京 --days 3") == ["北京 3"]
    (answer,) = replies(await room.handle(message("/天气 北京 days=x")))
    assert answer == (
        "days 应为整数，而不是“x”\ndays must be a whole number, not “x”\n"
        "用法 Usage: /天气 <city> &#91;--days <days>&#93;"
    )
    (answer,) = await room.say("/天气")
    assert answer.startswith("缺少参数 city\ncity is missing\n")


@pytest.mark.parametrize(
    ("permission", "who", "allowed"),
    [
        ("MEMBER", {}, True),
        ("GROUP_ADMIN", {}, False),
        ("GROUP_ADMIN", {"sender": {"role": "admin"}}, True),
        ("GROUP_ADMIN", {"sender": {"role": "owner"}}, True),
        ("GROUP_ADMIN", {"sender": {"role": "owner"}, "group_id": None}, False),
        ("GROUP_ADMIN", {"sender": "junk"}, False),
        ("GROUP_ADMIN", {"user_id": 7}, True),
        ("ADMIN", {"sender": {"role": "owner"}}, False),
        ("ADMIN", {"user_id": 7}, True),
        ("OWNER", {"sender": {"role": "owner"}}, False),
        ("OWNER", {"user_id": "7"}, True),
    ],
)
async def test_command_is_there_only_for_people_with_its_permission(
    open_room: Open, platform: Platform, permission: str, who: dict[str, object], allowed: bool
) -> None:
    room = await open_room(f"""
        @plugin.command("do", permission=perm.{permission})
        async def do(ctx): return "done"
    """)
    platform.settings.chat_admins = ["qq:7"]
    assert await room.say("/do", **who) == (["done"] if allowed else [])


async def test_serial_key_is_one_persons_events_in_one_conversation(host: Host) -> None:
    def key(**fields: object) -> str:
        event = message("x", **fields)
        return host.serial_key(envelope(event), event)

    assert key() == key(message_id=10) == "qq:10001|group:456|123"
    assert len({key(), key(user_id=5), key(group_id=7)}) == 3
    notice = {"post_type": "notice"}
    assert host.serial_key(envelope(notice), notice).endswith("|")

"""Plugins written with the Python SDK, in processes and environments of their own."""

from __future__ import annotations

import asyncio
import base64
import json
import textwrap
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from tests.integration.plugins.conftest import FAST, LivePlatform, TextRoom, texts
from tests.integration.plugins.test_isolated import dialogue, process
from tests.unit.plugins.fakes import Platform, actions, message

from botmatrix.bus.media import LARGEST, SCHEME
from botmatrix.errors import ActionFailed
from botmatrix.worker.outcome import Dead, Retry
from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.info import PluginInfo, PluginState
from botmatrix.worker.plugins.isolated.plugin import Isolation
from botmatrix.worker.plugins.source import Source


@pytest.fixture
async def host(platform: Platform, tmp_path: Path) -> AsyncIterator[Host]:
    host = Host(platform, Isolation(platform, envs=tmp_path / "envs", pace=FAST))
    yield host
    await host.close()


async def load(host: Host, folder: Path, code: str, name: str = "mine", **manifest: Any) -> PluginInfo:
    """A plugin in Python for a process of its own; its code finds `plugin` and the SDK's names ready."""
    path = folder / name
    path.mkdir(parents=True)
    (path / "plugin.json").write_text(json.dumps({"id": name, "isolation": "process", **manifest}))
    head = f"from botmatrix import *\nplugin = Plugin(id={name!r}, name='Mine', version='3.1')\n"
    (path / "plugin.py").write_text(head + textwrap.dedent(code))
    return await host.load(Source("file", name, path))


EVERYTHING = """
    import os, time
    @plugin.command("add", aliases={"plus"})
    async def add(ctx: Context, a: int, b: int = 1):
        "Adds numbers"
        return f"{a + b}"
    @plugin.on_message(regex=r"^roll (?P<n>[0-9]+)$")
    def roll(ctx, n: int): return f"{n} by {ctx.user_id} in {ctx.group_id}"
    @plugin.command("card")
    async def card(ctx):
        await ctx.reply("looking")
        try:
            found = await ctx.call("get_group_member_info", group_id=ctx.group_id, user_id=ctx.user_id)
        except ActionFailed as failure:
            return f"{failure.retcode} {failure.message}"
        print("{printed}")
        return found["card"]
    @plugin.command("admin", permission=perm.ADMIN)
    async def admin(ctx): return "yes, admin"
    @plugin.command("fail")
    async def fail(ctx): raise ValueError("no")
    @plugin.command("later")
    async def later(ctx): raise Retry(3, "busy")
    @plugin.command("block")
    async def block(ctx): time.sleep(60)
    @plugin.command("ask")
    async def ask(ctx):
        answer = await ctx.ask("where?")
        return f"to {answer.text}"
    @plugin.command("once", cooldown=rate("1/min"))
    async def once(ctx): return "once"
    @plugin.on_notice("group_increase")
    async def welcome(ctx): return f"welcome {ctx.user_id}"
"""


async def test_the_sdk_works_as_in_the_worker(host: Host, tmp_path: Path, platform: Platform) -> None:
    info = await load(host, tmp_path, EVERYTHING, permissions=["get_group_member_info"])
    assert (info.state, info.name, info.version) == (PluginState.LOADED, "Mine", "3.1"), info.error
    room = TextRoom(platform, host)
    assert await room.say("/add 2 3") == ["5"]
    assert await room.say("/PLUS 2") == ["3"]
    assert "must be a whole number" in (await room.say("/add x"))[0]
    assert await room.say("roll 6") == ["6 by 123 in 456"]
    assert await room.say("", post_type="notice", notice_type="group_increase") == ["welcome 123"]
    assert await room.say("/admin") == []
    platform.settings.chat_admins = ["qq:123"]
    assert await room.say("/admin") == ["yes, admin"]
    platform.answers["get_group_member_info"] = {"card": "Al"}
    assert await room.say("/card") == ["Al"]
    assert [action for action, _ in platform.sent] == ["send_msg", "get_group_member_info"]
    platform.done.clear()
    platform.answers["get_group_member_info"] = ActionFailed(1200, "not in group")
    assert await room.say("/card") == ["1200 not in group"]
    assert process(host)["lines"] == {}


async def test_it_may_ask_and_its_uses_are_counted(host: Host, tmp_path: Path, platform: Platform) -> None:
    info = await load(host, tmp_path, EVERYTHING)
    assert info.state is PluginState.LOADED, info.error
    room = TextRoom(platform, host)
    asking = asyncio.create_task(room.handle(message("/ask"), "a" * 24))
    async with asyncio.timeout(10):
        await platform.asked.wait()
    assert [params["message"][0]["data"]["text"] for _, params in platform.sent] == ["where?"]
    dialogue(platform, "Bonn")
    assert texts(await asking) == ["to Bonn"]
    assert texts(await room.handle(message("/once"), "c" * 24)) == ["once"]
    assert texts(await room.handle(message("/once"), "d" * 24)) != ["once"]


LARGE = """
    @plugin.command("picture")
    async def picture(ctx, size: int): return Image(b"x" * size)
    @plugin.command("now")
    async def now(ctx, size: int): return f"said {await ctx.reply(Image(b'y' * size), now=True)}"
    @plugin.command("words")
    async def words(ctx): return "x" * 2_000_000
    @plugin.command("often")
    async def often(ctx):
        for n in range(120):
            await ctx.session.set("mine.n", n)
        return str(await ctx.session.get("mine.n"))
"""


async def test_its_pictures_may_be_larger_than_a_line(host: Host, tmp_path: Path, platform: Platform) -> None:
    await load(host, tmp_path, LARGE)
    room = TextRoom(platform, host)
    for size in (100, 3_000_000):
        outcome = await room.handle(message(f"/picture {size}"))
        (entry,) = actions(outcome)
        await check_media(platform, json.loads(bytes(entry.params)), b"x" * size)
    assert await room.say("/now 2000000") == ["said 77"]
    await check_media(platform, platform.sent[-1][1], b"y" * 2_000_000)
    outcome = await room.handle(message(f"/picture {LARGEST + 1}"))
    assert isinstance(outcome, Dead)


async def check_media(platform: Platform, params: Any, expected: bytes) -> None:
    file = params["message"][0]["data"]["file"]
    inline = base64.b64decode(file.removeprefix("base64://")) if file.startswith("base64://") else b""
    assert (inline or await platform.media.find(file.removeprefix(SCHEME))) == expected


async def test_what_is_too_long_to_be_said_at_once_fails_with_the_reason(
    host: Host, tmp_path: Path, platform: Platform
) -> None:
    await load(host, tmp_path, LARGE)
    outcome = await TextRoom(platform, host).handle(message("/words"))
    assert isinstance(outcome, Dead)
    assert "and may have 1024" in outcome.reason


async def test_its_sessions_are_no_actions_of_which_there_may_be_too_many(
    host: Host, tmp_path: Path, platform: Platform
) -> None:
    await load(host, tmp_path, LARGE)
    assert await TextRoom(platform, host).say("/often") == ["119"]


async def test_its_commands_are_listed_with_the_others(host: Host, tmp_path: Path) -> None:
    await load(host, tmp_path, EVERYTHING)
    (add,) = [command for command in host.commands() if command.name == "add"]
    assert (add.plugin, add.aliases, add.usage, add.description) == ("mine", ("plus",), "add <a> [b]", "Adds numbers")


async def test_what_is_not_in_its_manifest_is_refused(host: Host, tmp_path: Path, platform: Platform) -> None:
    await load(host, tmp_path, EVERYTHING)
    assert await TextRoom(platform, host).say("/card") == ["1403 get_group_member_info is not granted"]
    assert process(host)["refused"] == {"get_group_member_info": 1}


async def test_a_handler_that_raises_or_wants_to_wait_has_the_usual_outcome(
    host: Host, tmp_path: Path, platform: Platform
) -> None:
    await load(host, tmp_path, EVERYTHING)
    room = TextRoom(platform, host)
    outcome = await room.handle(message("/fail"))
    assert isinstance(outcome, Dead)
    assert "handler_error: mine.fail ValueError" in outcome.reason
    assert process(host)["events"] == 1  # it is tried twice in there, not out here once more
    outcome = await room.handle(message("/later"))
    assert isinstance(outcome, Retry)
    assert (outcome.after.total_seconds(), outcome.reason) == (3, "busy")


async def test_a_handler_that_blocks_its_process_is_interrupted_there(
    host: Host, tmp_path: Path, platform: Platform
) -> None:
    await load(host, tmp_path, EVERYTHING)
    room = TextRoom(platform, host)
    blocked = asyncio.create_task(room.handle(message("/block")))
    outcome = await blocked
    assert isinstance(outcome, Dead)
    assert "handler_blocked: mine.block" in outcome.reason
    assert await room.say("/add 1") == ["2"]
    assert process(host)["restarts"] == 0


KEEPING = """
    @plugin.on_startup
    async def up(app): await app.store.set("started", {"times": 1})
    @plugin.command("keep")
    async def keep(ctx, word: str):
        await ctx.store.update("words", lambda words: [*words, word], default=[])
        return f"{await ctx.store.get('words')} {await ctx.store.get('started')} {await ctx.store.keys()}"
    @plugin.command("forget")
    async def forget(ctx): return f"{await ctx.store.delete('words')} {await ctx.store.get('words', 'none')}"
    @plugin.command("big")
    async def big(ctx):
        try: await ctx.store.set("big", "x" * 300_000)
        except ValueError as error: return str(error)
    @plugin.command("count")
    async def count(ctx):
        mine = await ctx.session.update("n", lambda n: n + 1, default=0, ttl=50)
        ours = await ctx.session.conversation.update("n", lambda n: n + 1, default=0)
        return f"{mine} {ours} {await ctx.session.all()}"
    @plugin.command("clear")
    async def clear(ctx):
        await ctx.session.delete("n")
        await ctx.session.conversation.clear()
        return f"{await ctx.session.get('n', 'none')}"
    @plugin.command("recall")
    async def recall(ctx): return "|".join(heard.text for heard in await ctx.session.history())
    @plugin.command("full")
    async def full(ctx):
        try: await ctx.session.set("x", "x" * 70_000)
        except Exception as error: return type(error).__name__
    plugin.history = True
"""


@asynccontextmanager
async def keeping(folder: Path, redis_url: str, database_url: str = "") -> AsyncIterator[tuple[LivePlatform, TextRoom]]:
    platform = LivePlatform(redis_url, database_url)
    host = Host(platform, Isolation(platform, pace=FAST))
    try:
        code = KEEPING if database_url else KEEPING.replace("@plugin.on_startup", "")
        info = await load(host, folder, code)
        assert info.state is PluginState.LOADED, info.error
        yield platform, TextRoom(platform, host)
    finally:
        await host.close()
        await platform.close()


async def test_it_keeps_values_and_sessions_where_other_plugins_do(
    redis_url: str, tmp_path: Path, database_url: str
) -> None:
    async with keeping(tmp_path, redis_url, database_url) as (platform, room):
        assert await room.say("/keep a") == ["['a'] {'times': 1} ['started', 'words']"]
        assert await room.say("/keep b") == ["['a', 'b'] {'times': 1} ['started', 'words']"]
        assert await platform.values().get("mine", "words") == '["a","b"]'
        assert await room.say("/forget") == ["True none"]
        assert "at most 256 KiB" in (await room.say("/big"))[0]
        assert await room.say("/count") == ["1 1 {'n': 1}"]
        assert await room.say("/count", user_id=7) == ["1 2 {'n': 1}"]
        assert await room.say("/clear") == ["none"]
        assert await room.say("/full") == ["StateTooLarge"]
        assert texts(await room.handle(message("/recall", user_id=7), "b" * 24)) == ["/count"]
    assert not platform.sessions.memory.asked_for


async def again_until_done(room: TextRoom, words: str, event_id: str) -> None:
    """A plugin that is full has an event handled again later."""
    while isinstance(await room.handle(message(words), event_id), Retry):
        await asyncio.sleep(0.05)


async def test_changes_at_the_same_time_are_all_kept(redis_url: str, tmp_path: Path, database_url: str) -> None:
    first, second = (keeping(tmp_path / name, redis_url, database_url) for name in ("first", "second"))
    async with first as (_, room), second as (_, other):
        said = zip(range(20), cycle((room, room, other, other)), cycle(("/count", "/keep x")), strict=False)
        await asyncio.gather(*(again_until_done(where, words, f"{n:024x}") for n, where, words in said))
        assert await room.say("/count") == ["11 11 {'n': 11}"]
        assert (await room.say("/keep x"))[0].count("'x'") == 11


async def test_while_an_engine_is_away_the_event_is_handled_again_later(redis_url: str, tmp_path: Path) -> None:
    async with keeping(tmp_path, redis_url) as (_, room):
        outcome = await room.handle(message("/keep x"))
        assert outcome == Retry(timedelta(seconds=2), "PostgreSQL unavailable", outcome.steps)


@pytest.mark.parametrize(
    ("code", "manifest", "error"),
    [
        ("import no_such_module", {}, "No module named 'no_such_module'"),
        ("plugin = Plugin('other')", {}, 'plugin.json says "id": "mine"'),
        ("@plugin.on_startup\nasync def up(app): raise OSError('no disk')", {}, "OSError: no disk"),
        ("", {"requirements": ["--index-url=http://127.0.0.1/"]}, "is no requirement"),
        ("", {"requirements": ["nothing @ file:///no/such/wheel-1-py3-none-any.whl"]}, "can't be made"),
    ],
)
async def test_why_it_can_not_be_loaded_is_said(
    host: Host, tmp_path: Path, code: str, manifest: dict[str, Any], error: str
) -> None:
    info = await load(host, tmp_path, code, **manifest)
    assert info.state is PluginState.FAILED
    assert error in info.error
    assert not list((tmp_path / "envs").glob(".making-*"))


async def test_hooks_run_in_the_process_and_what_it_prints_is_log(host: Host, tmp_path: Path) -> None:
    note = tmp_path / "note"
    code = f"""
        print("{{loud}}")
        @plugin.on_startup
        async def up(app): open({str(note)!r}, "a").write("up ")
        @plugin.on_shutdown
        async def down(app): open({str(note)!r}, "a").write("down")
        @plugin.command("x")
        async def x(ctx): ...
    """
    info = await load(host, tmp_path, code)
    assert info.state is PluginState.LOADED, info.error
    await host.unload("mine")
    assert note.read_text() == "up down"


def wheel(folder: Path, version: str) -> str:
    """A package `quarrel` of this version, as a requirement."""
    path = folder / f"quarrel-{version}-py3-none-any.whl"
    about = f"quarrel-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("quarrel.py", f"VERSION = {version!r}\n")
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: quarrel\nVersion: {version}\n")
        archive.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{about}/RECORD", "")
    return f"quarrel @ {path.as_uri()}"


async def test_two_plugins_with_conflicting_packages_run_side_by_side(
    host: Host, tmp_path: Path, platform: Platform
) -> None:
    code = "import quarrel\n@plugin.command('v', block=False)\nasync def v(ctx): return quarrel.VERSION\n"
    for name, version in (("one", "1.0"), ("two", "2.0")):
        info = await load(host, tmp_path, code, name, requirements=[wheel(tmp_path, version)])
        assert info.state is PluginState.LOADED, info.error
    last = await TextRoom(platform, host).say("/v")
    early = [params["message"][0]["data"]["text"] for _, params in platform.sent]  # whoever is first does not wait
    assert sorted(early + last) == ["1.0", "2.0"]
    locks = sorted(lock.read_text().strip() for lock in (tmp_path / "envs").glob("*/requirements.lock"))
    assert ["quarrel-1.0" in locks[0], "quarrel-2.0" in locks[1]] == [True, True]
    assert len(list((tmp_path / "envs").glob("*.log"))) == 2

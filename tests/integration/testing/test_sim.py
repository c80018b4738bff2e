"""`botmatrix.testing`: an author's test in five lines, and what else it can play."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from botmatrix import ActionFailed, Image
from botmatrix.testing import Sim

CODE = """
from botmatrix import App, Context, Message, Plugin, perm
from pydantic import BaseModel

class Config(BaseModel):
    word: str = "hi"

plugin = Plugin(id="mine", config=Config, permissions=["*"], migrations=["CREATE TABLE notes (n int)"])

@plugin.command("greet")
async def greet(ctx: Context, name: str | None = None):
    if name is None:
        name = (await ctx.ask("who?", timeout=30)).text
    return f"{ctx.config.word} {name}"

@plugin.command("earn")
async def earn(ctx: Context):
    return str(await ctx.store.update("points", lambda n: n + 1, default=0))

@plugin.command("note")
async def note(ctx: Context):
    from sqlalchemy import text
    async with ctx.db() as session:
        await session.execute(text("INSERT INTO notes VALUES (1)"))
        return str(await session.scalar(text("SELECT count(*) FROM notes")))

@plugin.command("rule", permission=perm.ADMIN)
async def rule(ctx: Context): return "yes"

@plugin.command("size")
async def size(ctx: Context):
    return str((await ctx.call("get_group_info", group_id=ctx.group_id))["member_count"])

@plugin.command("echo")
async def echo(ctx: Context): return ctx.args

@plugin.on_notice("group_increase")
async def welcome(ctx: Context): return f"welcome {ctx.user_id}"

@plugin.cron("0 8 * * *", tz="Asia/Shanghai")
async def morning(app: App): await app.send("qq:group:456", "morning")

@plugin.command("elsewhere")
async def elsewhere(ctx: Context): await ctx.send("qq:private:7", "psst")
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(CODE)
    return path


async def test_a_talk_with_a_question(plugin: Path) -> None:
    async with Sim(plugin) as sim:
        chat = sim.group(456).user(123)
        await chat.say("/greet")
        await chat.expect("who?")
        await chat.expect_nothing()
        await chat.say("Bob")
        await chat.expect_contains("Bob")
        await chat.say("Bob")
        await chat.expect_nothing()


async def test_nothing_of_one_test_is_left_in_the_next(plugin: Path) -> None:
    for _ in range(2):
        async with Sim(plugin, configured={"mine": {"word": "ho"}}) as sim:
            chat = sim.private(7)
            await chat.say("/earn")
            await chat.expect("1")
            await chat.say("/note")
            await chat.expect("1")
            await chat.say("/greet x")
            await chat.expect("ho x")


async def test_people_with_rights_pictures_notices_the_clock_and_actions(plugin: Path) -> None:
    async with Sim(plugin, groups=(456,), chat_admins=["qq:1"]) as sim:
        group = sim.group(456)
        boss, other = group.user(1), group.user(2)
        await other.say("/rule")
        await other.expect_nothing()
        await boss.say("/rule")
        await boss.expect("yes")
        await other.say("echo " + Image("a.png"), at=True)
        await other.expect(Image("a.png"))
        await group.notice("group_increase", user_id=9)
        await other.expect("welcome 9")
        await sim.tick("mine.morning")
        await other.expect("morning")
        await other.say("/elsewhere")
        await sim.private(7).expect("psst")
        sim.answer("get_group_info", {"member_count": 3})
        await other.say("/size")
        await other.expect("3")
        sim.answer("get_group_info", ActionFailed(100, "no"))
        await other.say("/size")
        await other.expect_nothing()
        assert [one.action for one in sim.called if one.action != "send_msg"] == ["get_group_info"] * 2


async def test_what_was_not_said_fails_the_test(plugin: Path) -> None:
    async with Sim(plugin) as sim:
        chat = sim.private(7)
        for expectation in (chat.expect("no"), chat.expect_contains("no")):
            await chat.say("/greet x")
            with pytest.raises(AssertionError, match="the bot said 'hi x'"):
                await expectation
        await chat.say("/greet x")
        with pytest.raises(AssertionError, match="the bot said 'hi x'"):
            await chat.expect_nothing()


async def test_a_plugin_that_can_not_be_loaded_fails_the_test(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("import nothing_of_this_name")
    before = len(asyncio.all_tasks())
    with pytest.raises(AssertionError, match="nothing_of_this_name"):
        async with Sim(path):
            pass
    assert len(asyncio.all_tasks()) == before

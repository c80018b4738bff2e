"""Questions on real workers: answers reach whoever asked, and outlive them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.worker.composed import composed, message, said
from tests.integration.worker.support import KEYS, Stage, WorkerProcess, until

from botmatrix.worker.plugins import course

ORDER = """
import asyncio
from botmatrix import Plugin

plugin = Plugin(id="order")


@plugin.command("order", timeout=3)
async def order(ctx):
    what = (await ctx.ask("what?")).text
    many = (await ctx.ask("how many?", check=int)).value
    await ctx.session.update("orders", lambda n: n + 1, default=0)
    return f"{many} {what}"


@plugin.command("later")
async def later(ctx):
    await asyncio.sleep(0.5)
    return (await ctx.ask("now?")).text


@plugin.command("soon")
async def soon(ctx):
    return (await ctx.ask("say!", timeout=0.5)).text


@plugin.command("echo")
async def echo(ctx, *words: str):
    return " ".join(words)
"""


@pytest.fixture
async def worker(stage: Stage, home: Path) -> AsyncIterator[WorkerProcess]:
    async with composed(stage, home, environ={"WORKER_CONCURRENCY": "2"}, order=ORDER) as worker:
        yield worker


async def hear(stage: Stage, *expected: str, timeout: float = 25.0) -> None:
    """Until the bots have said this, and only this."""

    async def heard() -> bool:
        return len(await said(stage)) >= len(expected)

    try:
        await until(heard, timeout=timeout)
    except TimeoutError:
        pass
    assert await said(stage) == list(expected)


async def test_answers_go_to_the_handler_that_asked(stage: Stage, worker: WorkerProcess) -> None:
    await stage.put("w1", message("/order"))
    await hear(stage, "what?")
    await stage.put("w1", message("tea"))
    await hear(stage, "what?", "how many?")
    await stage.put("w1", message("2"))
    await hear(stage, "what?", "how many?", "2 tea")
    await stage.until_settled("w1")
    assert await stage.dead() == []


async def test_a_worker_full_of_questions_goes_on(stage: Stage, worker: WorkerProcess) -> None:
    people = range(100, 140)
    await stage.put("w1", *(message("/order", user=user) for user in people))
    await stage.until_sent(len(people))
    await stage.put("w1", message("/echo hello", user=7))
    await hear(stage, *["what?"] * len(people), "hello")
    for turn, text in enumerate(("tea", "2"), 2):
        await stage.put("w1", *(message(text, user=user) for user in people))
        await stage.until_sent(turn * len(people) + 1)
    assert (await said(stage)).count("2 tea") == len(people)
    await stage.until_settled("w1")


async def test_waiting_does_not_count_as_handling(stage: Stage, worker: WorkerProcess) -> None:
    await stage.put("w1", message("/order"))
    await hear(stage, "what?")
    await asyncio.sleep(3.5)
    await stage.put("w1", message("tea"), message("2"))
    await hear(stage, "what?", "how many?")
    await stage.put("w1", message("3"))
    await hear(stage, "what?", "how many?", "3 tea")


async def test_what_was_said_before_a_question_does_not_answer_it(stage: Stage, worker: WorkerProcess) -> None:
    await stage.put("w1", message("/later"), message("/echo impatient"))
    await hear(stage, "now?")
    await stage.put("w1", message("yes"))
    await hear(stage, "now?", "yes", "impatient")


async def test_silence_ends_the_question_and_frees_the_person(stage: Stage, worker: WorkerProcess) -> None:
    await stage.put("w1", message("/soon"))
    await hear(stage, "say!", "没有等到回答，已取消 · No answer came, cancelled")
    await stage.put("w1", message("/echo hello"))
    await hear(stage, "say!", "没有等到回答，已取消 · No answer came, cancelled", "hello")


@pytest.mark.parametrize("kills", [1, 4])
async def test_a_question_outlives_workers_that_are_killed(stage: Stage, home: Path, kills: int) -> None:
    """The answer to the first question comes before the first kill, that to the second one after the last."""
    async with composed(stage, home, order=ORDER) as first:
        await stage.put("w1", message("/order"))
        await hear(stage, "what?")
        await stage.put("w1", message("tea"))
        await hear(stage, "what?", "how many?")
        first.process.kill()
        await first.end()
    for _ in range(kills - 1):
        async with composed(stage, home, order=ORDER) as next_one:
            await stage.put("w1", message("/echo alive", user=8))
            await stage.until_settled_but("w1", 2)
            next_one.process.kill()
            await next_one.end()
    await stage.put("w1", message("2"))
    async with composed(stage, home, order=ORDER):
        await hear(stage, "what?", "how many?", *["alive"] * (kills - 1), "2 tea")
        await stage.until_settled("w1")
    assert await stage.dead() == []


async def test_an_answer_reaches_the_worker_that_adopted_the_lane(stage: Stage, home: Path, tmp_path: Path) -> None:
    (other := tmp_path / "other").mkdir()
    async with composed(stage, home, "w1", order=ORDER) as first, composed(stage, other, "w2", order=ORDER):
        await stage.put("w1", message("/order"))
        await hear(stage, "what?")
        first.process.kill()
        await first.end()
        await stage.put("w1", message("tea"))
        await hear(stage, "what?", "how many?")
        await stage.put("w1", message("2"))
        await hear(stage, "what?", "how many?", "2 tea")
    assert await stage.redis.call("GET", KEYS.session_state("qq:42")) == b'{"orders":1}'


async def test_a_question_outlives_an_orderly_stop(stage: Stage, home: Path) -> None:
    async with composed(stage, home, order=ORDER) as first:
        await stage.put("w1", message("/order"))
        await hear(stage, "what?")
        first.process.terminate()
        assert await first.end() == 0, first.output()
    await stage.put("w1", message("tea"))
    async with composed(stage, home, order=ORDER):
        await hear(stage, "what?", "how many?")


SLOW = 2 * course.PATIENCE
BOTH = """
from botmatrix import Plugin

plugin = Plugin(id="{name}")


@plugin.on_message(regex="^both$")
async def both(ctx):
    return "{name} " + (await ctx.ask("{name}?")).text
"""


async def test_two_plugins_that_ask_in_one_event_get_an_answer_each(stage: Stage, home: Path) -> None:
    async with composed(stage, home, one=BOTH.format(name="one"), two=BOTH.format(name="two")):
        await stage.put("w1", message("both"))
        await hear(stage, "one?")
        await asyncio.sleep(SLOW)
        await stage.put("w1", message("a"))
        await hear(stage, "one?", "two?")
        await asyncio.sleep(SLOW)
        await stage.put("w1", message("b"))
        first = ["one?", "two?", "one a", "two b"]
        await hear(stage, *first)
        await stage.put("w1", message("both"))  # both took their time before, so now they ask at once
        await until(lambda: _said_so_much(stage, 6))
        await stage.put("w1", message("c"), message("d"))
        await until(lambda: _said_so_much(stage, 8))
        assert sorted((await said(stage))[4:]) in (
            ["one c", "one?", "two d", "two?"],
            ["one d", "one?", "two c", "two?"],
        )
        await stage.until_settled("w1")
    assert await stage.dead() == []


async def _said_so_much(stage: Stage, count: int) -> bool:
    return len(await said(stage)) >= count

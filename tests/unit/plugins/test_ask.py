"""What becomes of questions: answers, checks, cancel words, silence."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.plugins.conftest import Open
from tests.unit.plugins.fakes import Platform, Talk, message, replies

from botmatrix.worker.plugins.host import Host

ASKING = """
@plugin.command("ask")
async def ask(ctx):
    answer = await ctx.ask("n?", check=int, tries=2)
    return f"{answer.value + 1} {answer.text} {answer.message_id}"
"""


@pytest.fixture
async def talk(open_room: Open, platform: Platform, host: Host) -> Talk:
    await open_room(ASKING)
    talk = Talk(platform, host)
    await talk.handle(message("/ask"))
    return talk


def asked(talk: Talk) -> list[str]:
    return [params["message"][0]["data"]["text"] for _, params in talk.platform.sent]


async def test_an_answer_goes_to_the_handler(talk: Talk) -> None:
    assert asked(talk) == ["n?"]
    assert replies(await talk.handle(message("41"))) == ["42 41 9"]


async def test_a_bad_answer_is_asked_again_until_the_tries_are_over(talk: Talk) -> None:
    assert replies(await talk.handle(message("x"))) == []
    assert asked(talk) == ["n?", "“x” 不合适，请再试一次 · “x” won't do, try again"]
    assert replies(await talk.handle(message("y"))) == ["已取消 · Cancelled"]


@pytest.mark.parametrize("word", ["取消", "CANCEL", " quit "])
async def test_a_cancel_word_ends_it(talk: Talk, word: str) -> None:
    assert replies(await talk.handle(message(word))) == ["已取消 · Cancelled"]


async def test_silence_ends_it(talk: Talk) -> None:
    assert replies(await talk.wait()) == ["没有等到回答，已取消 · No answer came, cancelled"]


@pytest.mark.parametrize("said", [[], [{"type": "image", "data": {"file": "a.png"}}], "", None, 5])
async def test_an_answer_without_text_hurts_nobody(talk: Talk, said: Any) -> None:
    await talk.handle(message(said) if said is not None else {**message(""), "message": None})
    assert len(asked(talk)) == 2

"""Keywords and intents."""

from __future__ import annotations

import pytest
from tests.unit.plugins.conftest import Open

from botmatrix import Plugin


async def test_keywords_are_found_in_any_case_anywhere(open_room: Open) -> None:
    room = await open_room("@plugin.on_message(keywords=['Straße', '天气'])\nasync def a(ctx): return 'yes'")
    assert await room.say("in der STRASSE") == ["yes"]
    assert await room.say("今天天气好") == ["yes"]
    assert await room.say("street") == []


async def test_a_regex_or_a_keyword_is_enough(open_room: Open) -> None:
    room = await open_room("""
        @plugin.on_message(r"^n(?P<n>[0-9]+)$", keywords=["any"])
        async def a(ctx, n: int | None = None): return str(n)
        """)
    assert [await room.say(text) for text in ("n5", "any", "n")] == [["5"], ["None"], []]


async def test_an_intent_is_said_or_hinted(open_room: Open) -> None:
    room = await open_room("""
        @plugin.on_intent("weather", keywords=["rain"], regex="sn(?:ow|eg)")
        async def a(ctx): return "wet"
        """)
    assert await room.say("will it RAIN?") == ["wet"]
    assert await room.say("snow") == ["wet"]
    assert await room.say("hello") == []
    assert await room.say("hello", intent_hint="weather") == ["wet"]
    assert await room.say("hello", intent_hint={"a": 1}) == []


async def test_an_intent_without_words_needs_its_hint(open_room: Open) -> None:
    room = await open_room("@plugin.on_intent('weather')\nasync def a(ctx): return 'wet'")
    assert await room.say("weather") == []
    assert await room.say("x", intent_hint="weather") == ["wet"]


def test_words_that_would_match_everything_are_refused() -> None:
    plugin = Plugin("mine")
    with pytest.raises(ValueError, match="can't be empty"):
        plugin.on_message(keywords=[" "])
    with pytest.raises(ValueError, match="needs a name"):
        plugin.on_intent("")

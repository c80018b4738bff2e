"""Skills as plugins declare them."""

from __future__ import annotations

from typing import Any

import pytest

from botmatrix import perm
from botmatrix.sdk.plugin import Plugin
from botmatrix.skills.model import BadParams


def weather(city: str, *, days: int = 1, metric: bool = True) -> str:
    """The weather of a city.

    More about it.
    """
    return f"{city} {days} {metric}"


def test_a_skill_describes_itself() -> None:
    plugin = Plugin(id="p")
    assert plugin.skill("weather", regex="^天气")(weather) is weather
    (skill,) = plugin.skills
    assert (skill.description, skill.usage) == (
        "The weather of a city.",
        "weather city=<city> [days=<days>] [metric=<metric>]",
    )
    assert skill.schema["required"] == ["city"]
    assert skill.params == {"city": "string", "days": "integer", "metric": "boolean"}


def test_text_is_turned_into_the_types_and_the_rest_refused() -> None:
    plugin = Plugin(id="p")
    plugin.skill("weather")(weather)
    arguments = plugin.skills[0].arguments
    assert arguments({"city": "x", "days": "3", "metric": "false"}) == {"city": "x", "days": 3, "metric": False}
    for wrong in ({}, {"city": "x", "days": "many"}, {"city": "x", "citi": "y"}):
        with pytest.raises(BadParams, match=r"city|days|citi"):
            arguments(wrong)


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "-a", "a/b"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name of a skill"):
        Plugin(id="p").skill(name)(weather)


def test_parameters_must_have_names() -> None:
    def rest(*words: Any) -> str:
        return " ".join(words)

    with pytest.raises(TypeError, match="by name"):
        Plugin(id="p").skill("rest")(rest)


def test_permission_and_words_that_are_none_are_refused() -> None:
    plugin = Plugin(id="p")
    with pytest.raises(ValueError, match="public, member, admin, owner, off"):
        plugin.skill("weather", permission="everybody")(weather)
    with pytest.raises(ValueError, match="group_admin"):
        plugin.skill("weather", permission=perm.GROUP_ADMIN)(weather)
    with pytest.raises(ValueError, match="regex of skill weather"):
        plugin.skill("weather", regex="(?=x)")(weather)
    plugin.skill("weather", permission=perm.OWNER)(weather)
    assert plugin.skills[0].permission == "owner"

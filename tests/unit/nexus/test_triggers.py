"""Which messages go to a worker because their words mean a skill."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from botmatrix.bus.keys import Keys
from botmatrix.bus.presence import Presence
from botmatrix.config import load
from botmatrix.nexus.bot import Bot
from botmatrix.nexus.skills.roster import Roster
from botmatrix.nexus.skills.triggers import Triggers
from botmatrix.onebot.event import Event
from botmatrix.onebot.session import Session
from botmatrix.routing.rule import Rule
from botmatrix.routing.table import route_of
from botmatrix.skills.model import Capability

BOT = Bot("qq", "10001", 0.0)
WEATHER = Capability(name="weather", regex="^天气 (?P<city>.+)$", permission="member")
RESTART = Capability(name="restart", regex="^restart$")


class Stand:
    """Triggers above workers that report these skills."""

    def __init__(self, home: Path, **skills: list[Capability]) -> None:
        self.home = home
        self.roster = Roster(Presence("redis://127.0.0.1:1/0", Keys(), name="test"))
        self.counters: Counter[str] = Counter()
        self.triggers = Triggers(self.roster, self.settings(), self.counters)
        self.roster.pools = dict.fromkeys(skills, "default")
        self.roster.workers = skills
        self.roster.on_change()

    def settings(self, **given: str) -> Any:
        return load(self.home, {}, {"CHAT_ADMINS": "qq:1", **given})

    def goes(self, text: str, *, user: int = 42, target: str = "", **fields: Any) -> tuple[str, tuple[str, ...]]:
        """The skill that a message means and the targets of its route."""
        about = {"post_type": "message", "message_type": "private", "sub_type": "friend", "message": text}
        raw = json.dumps({"time": 1, "self_id": 10001, "user_id": user, "message_id": 1, **about, **fields}).encode()
        event = Session("", "").receive(raw)
        assert isinstance(event, Event)
        given = route_of(Rule(key="*", target=target)) if target else None
        route = self.triggers.route(BOT, event, given)
        return (route.skill, route.targets) if route else ("", ())


@pytest.fixture
def stand(home: Path) -> Stand:
    return Stand(home, w1=[WEATHER, RESTART], w2=[WEATHER])


def test_words_lead_to_a_worker_with_the_skill_each_with_the_same_probability(stand: Stand) -> None:
    found = Counter(stand.goes("天气 上海") for _ in range(1000))
    assert set(found) == {("weather", ("w1",)), ("weather", ("w2",))}
    assert min(found.values()) > 400
    assert stand.counters["skill_triggers"] == 1000
    assert stand.goes("其他") == ("", ())


def test_who_may_not_does_not_meet_a_skill(stand: Stand) -> None:
    assert stand.goes("restart") == ("", ())
    assert stand.goes("restart", user=1) == ("restart", ("w1",))
    assert stand.goes("天气 上海", sub_type="group") == ("", ())
    stand.triggers.take(stand.settings(SKILL_PERMISSIONS="weather:off,restart:public"))
    assert stand.goes("天气 上海", user=1) == ("", ())
    assert stand.goes("restart", sub_type="group") == ("restart", ("w1",))


def test_a_written_rule_stands_above(stand: Stand) -> None:
    assert stand.goes("天气 上海", target="block") == ("", ())
    assert stand.goes("天气 上海", target="w2") == ("weather", ("w2",))
    assert stand.goes("天气 上海", target="w3") == ("", ("w3",))
    assert stand.goes("天气 上海", target="pool:default")[0] == "weather"


def test_an_expression_that_cant_be_read_keeps_none_of_the_others_away(home: Path) -> None:
    stand = Stand(home, w1=[Capability(name="bad", regex="(?=x)x", permission="public"), WEATHER])
    assert stand.goes("天气 x") == ("weather", ("w1",))
    assert stand.goes("x") == ("", ())


def test_a_bots_own_words_and_expressions_made_to_take_long_do_no_harm(home: Path) -> None:
    stand = Stand(home, w1=[Capability(name="slow", regex="(a|a|aa)+$", permission="public")])
    assert stand.goes("a" * 5000 + "b") == ("", ())
    assert stand.goes("aaa", user=10001) == ("", ())


def test_without_words_nothing_is_looked_at(home: Path) -> None:
    assert not Stand(home, w1=[Capability(name="plain")]).triggers.are_there

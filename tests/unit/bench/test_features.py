"""What is added: differences within a turn, and the verdict on them."""

from __future__ import annotations

import pytest
from bench.features import NOTHING, Found, Results, contestants, parse, rows, verdicts

ALL = ("rules", "judge")


def found(nexus: float, valkey: float) -> Results:
    """Three turns on a machine that is slower in each, with so much added."""
    base = [{"nexus": us, "valkey": us, "worker": us, "control": 1.0} for us in (40.0, 60.0, 90.0)]
    full = [turn | {"nexus": turn["nexus"] + nexus, "valkey": turn["valkey"] + valkey} for turn in base]
    return {NOTHING: Found(base), ALL: Found(full)}


def test_a_drifting_machine_is_no_difference() -> None:
    added = found(10.0, 1.0)[ALL].above(found(10.0, 1.0)[NOTHING], "nexus")
    assert added == pytest.approx(10.0)


@pytest.mark.parametrize(("nexus", "verdict"), [(14.0, "aim"), (29.0, "pass"), (31.0, "FAIL")])
def test_the_verdict_says_what_is_kept(nexus: float, verdict: str) -> None:
    said = {text: cells[-1] for text, *cells in verdicts(found(nexus, 1.0))}
    assert said["added in nexus"] == verdict
    assert said["added in valkey"] == "aim"


def test_each_line_shows_a_contestant_and_what_it_adds() -> None:
    assert [row[2] for row in rows(found(10.0, 1.0))] == ["+0.0", "+10.0"]


def test_contestants_are_nothing_each_and_all() -> None:
    assert contestants(parse(["rules", "judge"])) == [NOTHING, ALL]
    assert contestants(parse(["rules", "judge", "--each"])) == [NOTHING, ("rules",), ("judge",), ALL]

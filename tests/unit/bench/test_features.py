"""What is added: differences within a turn, and the verdict on them."""

from __future__ import annotations

import pytest
from bench.features import LOADS, NOTHING, Found, contestants, parse, rows, verdicts

ALL = ("rules", "judge")


def found(nexus: float, valkey: float) -> dict[tuple[tuple[str, ...], str], Found]:
    """Three turns on a machine that is slower in each, with so much added."""
    results = {}
    for load in LOADS:
        base = [{"nexus": us, "valkey": us, "worker": us, "control": 1.0} for us in (40.0, 60.0, 90.0)]
        full = [turn | {"nexus": turn["nexus"] + nexus, "valkey": turn["valkey"] + valkey} for turn in base]
        results[NOTHING, load], results[ALL, load] = Found(base), Found(full)
    return results


def test_a_drifting_machine_is_no_difference() -> None:
    added = found(10.0, 1.0)[ALL, "saturation"].above(found(10.0, 1.0)[NOTHING, "saturation"], "nexus")
    assert added == pytest.approx(10.0)


@pytest.mark.parametrize(("nexus", "verdict"), [(14.0, "aim"), (29.0, "pass"), (31.0, "FAIL")])
def test_the_verdict_says_what_is_kept(nexus: float, verdict: str) -> None:
    said = {text: cells[-1] for text, *cells in verdicts(found(nexus, 1.0))}
    assert said["added in nexus, saturation"] == verdict
    assert said["added in valkey, fixed rate"] == "aim"


def test_each_line_shows_a_contestant_and_what_it_adds() -> None:
    assert [row[3] for row in rows(found(10.0, 1.0))] == ["+0.0", "+10.0"] * 2


def test_contestants_are_nothing_each_and_all() -> None:
    assert contestants(parse(["rules", "judge"])) == [NOTHING, ALL]
    assert contestants(parse(["rules", "judge", "--each"])) == [NOTHING, ("rules",), ("judge",), ALL]

"""The verdicts on what was measured."""

from __future__ import annotations

import io

from bench.measure import Figures
from bench.report import checks, markdown, show
from rich.console import Console


def found(rate: float, p99: float = 2.0) -> dict[str, Figures]:
    return {
        "floor": Figures("floor", rate=30_000, p50_ms=1.0, p99_ms=2.0),
        "botmatrix": Figures("botmatrix", rate=rate, cpu_us={"nexus": 20.0}, p50_ms=1.2, p99_ms=p99),
        "nonebot2": Figures("nonebot2", rate=800, note="slow"),
    }


def verdicts(figures: dict[str, Figures]) -> dict[str, str]:
    return {check.text: check.verdict for check in checks(figures)}


def test_a_share_below_the_promise_fails() -> None:
    assert verdicts(found(9_000))["round trips/s, share of the bare floor"] == "FAIL"


def test_a_share_between_promise_and_aim_passes() -> None:
    assert verdicts(found(12_000))["round trips/s, share of the bare floor"] == "pass"


def test_a_share_above_the_aim_is_said_to_be() -> None:
    assert verdicts(found(20_000))["round trips/s, share of the bare floor"] == "aim"


def test_a_slow_p99_fails_though_the_floor_was_slow_too() -> None:
    figures = found(20_000, p99=26.0)
    figures["floor"].p99_ms = 20.0
    assert verdicts(figures)["p99 at the fixed rate"] == "FAIL"


def test_a_missing_reply_fails() -> None:
    figures = found(20_000)
    figures["botmatrix"].missing = 1
    assert verdicts(figures)["events without a reply"] == "FAIL"


def test_what_was_not_measured_is_not_judged() -> None:
    assert not verdicts({"nonebot2": Figures("nonebot2", rate=1.0)})
    assert "memory per idle bot" not in verdicts(found(20_000))


def test_the_tables_name_every_contestant_and_the_outcome() -> None:
    output = io.StringIO()
    assert not show(found(9_000), Console(file=output, width=160))
    assert "NoneBot2" in output.getvalue()
    assert "FAIL" in output.getvalue()


def test_the_page_has_the_commit_and_both_tables() -> None:
    page = markdown(found(12_000), "Setup.")
    assert "commit" in page
    assert "| round trips/s | 30,000 | 12,000 | 800 |" in page
    assert "| pass |" in page

"""The table, the floors it is held against, and the page for the documentation."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import psutil
from rich.console import Console
from rich.table import Table

from bench.cases import CASES
from bench.measure import Figures
from bench.parts import ROOT


@dataclass(frozen=True, slots=True)
class Check:
    """One promise: the value measured, what it must reach, what we aim at."""

    text: str
    value: float
    must: float
    aim: float
    unit: str
    more_is_better: bool

    def reaches(self, bar: float) -> bool:
        return self.value >= bar if self.more_is_better else self.value <= bar

    @property
    def verdict(self) -> str:
        if not self.reaches(self.must):
            return "FAIL"
        return "aim" if self.reaches(self.aim) else "pass"


def checks(found: dict[str, Figures]) -> Iterator[Check]:
    """Every promise for which this run has the figures."""
    ours = found.get("botmatrix")
    if ours is None:
        return
    for name, label, must, aim in (
        ("floor", "round trips/s, share of the bare floor", 0.35, 0.60),
        ("nonebot2", "round trips/s, times NoneBot2", 8.0, 15.0),
        ("aiocqhttp", "round trips/s, times aiocqhttp", 2.0, 3.0),
    ):
        other = found.get(name)
        if other is not None and other.rate and ours.rate:
            yield Check(label, ours.rate / other.rate, must, aim, "x", more_is_better=True)
    floor = found.get("floor")
    if ours.p99_ms is not None:
        yield Check("p99 at the fixed rate", ours.p99_ms, 25.0, 25.0, "ms", more_is_better=False)
        if floor is not None and floor.p99_ms:
            ratio = ours.p99_ms / floor.p99_ms
            yield Check("p99 at the fixed rate, times the floor's", ratio, 3.0, 2.0, "x", more_is_better=False)
        yield Check("events without a reply", float(ours.missing), 0.0, 0.0, "", more_is_better=False)
    if ours.rss_kib is not None:
        yield Check("memory per idle bot", ours.rss_kib, 60.0, 40.0, "KiB", more_is_better=False)
    if ours.back_s is not None:
        yield Check("all bots online again after a restart", ours.back_s, 15.0, 10.0, "s", more_is_better=False)


def number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def rows(found: dict[str, Figures]) -> Iterator[list[str]]:
    """Lines of the table: what, then one cell for each contestant."""
    contestants = list(found.values())
    yield ["round trips/s", *(number(one.rate, 0) for one in contestants)]
    for process in dict.fromkeys(name for one in contestants for name in one.cpu_us):
        cells = (number(one.cpu_us.get(process), 1) for one in contestants)
        yield [f"CPU us per round trip, {process}", *cells]
    yield ["p50 ms at the fixed rate", *(number(one.p50_ms, 2) for one in contestants)]
    yield ["p99 ms at the fixed rate", *(number(one.p99_ms, 2) for one in contestants)]
    yield ["KiB per idle bot", *(number(one.rss_kib, 1) for one in contestants)]
    yield ["s until all bots are online", *(number(one.first_s, 1) for one in contestants)]
    yield ["s until all are again, from SIGTERM", *(number(one.back_s, 1) for one in contestants)]
    if any(one.note for one in contestants):
        yield ["note", *(one.note for one in contestants)]


def show(found: dict[str, Figures], console: Console) -> bool:
    """Print both tables; whether every check holds."""
    table = Table("", *(CASES[name].title for name in found), title="Echo round trips")
    for row in rows(found):
        table.add_row(*row)
    console.print(table)
    held = Table("promise", "measured", "must", "aim", "", title="Held against the promises")
    results = list(checks(found))
    styles = {"FAIL": "bold red", "pass": "green", "aim": "bold green"}
    for check in results:
        verdict = f"[{styles[check.verdict]}]{check.verdict}[/]"
        held.add_row(*cells_of(check), verdict)
    if results:
        console.print(held)
    return all(check.verdict != "FAIL" for check in results)


def cells_of(check: Check) -> list[str]:
    return [check.text, f"{check.value:.2f} {check.unit}".rstrip(), f"{check.must:g}", f"{check.aim:g}"]


def markdown(found: dict[str, Figures], setup: str) -> str:
    """The same as a section for docs/benchmarks.md."""
    lines = [f"## {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit()}", "", f"{machine()}. {setup}", ""]
    lines += grid(["", *(CASES[name].title for name in found)], rows(found))
    held = ([*cells_of(check), check.verdict] for check in checks(found))
    lines += ["", *grid(["promise", "measured", "must", "aim", ""], held)]
    return "\n".join(lines) + "\n"


def grid(head: list[str], body: Iterable[list[str]]) -> list[str]:
    """A Markdown table."""
    return ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *body)]


def commit() -> str:
    """The commit that was measured, marked when the tree differs from it."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def machine() -> str:
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{psutil.cpu_count()} cores, {memory:.0f} GiB, Linux {platform.release()}, Python {platform.python_version()}"
    )

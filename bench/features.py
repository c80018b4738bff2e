"""`python -m bench.features`: what judging, routing, limits and traces add to an event, beside none of them.

The same hub with everything unset and with everything set, by turns: CPU us per round trip in nexus and Valkey, at
saturation and at a fixed rate, and the median of the differences. Words choose features: `rules`, or `rules limits`.
Exit code 1 when a promise is not held.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from bench.cases import Case
from bench.furnish import FEATURES, Furnished
from bench.measure import metered
from bench.report import commit, grid, machine

PROMISES = {"nexus": (30.0, 15.0), "valkey": (8.0, 4.0)}
"""CPU us per event that everything together may add: must, aim."""
LOADS = ("saturation", "fixed rate")
NOTHING: tuple[str, ...] = ()


@dataclass(slots=True)
class Found:
    """CPU us per round trip of each process, turn by turn, of one contestant under one load."""

    turns: list[dict[str, float]] = field(default_factory=list)

    def median(self, process: str) -> float:
        return statistics.median(turn[process] for turn in self.turns)

    def above(self, other: Found, process: str) -> float:
        """The median of the differences to another contestant in the same turn."""
        pairs = zip(self.turns, other.turns, strict=True)
        return statistics.median(mine[process] - its[process] for mine, its in pairs)


Results = dict[tuple[tuple[str, ...], str], Found]


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.features", description=__doc__)
    parser.add_argument("feature", nargs="*", help="any of: " + " ".join(FEATURES) + " (default: all, together)")
    parser.add_argument("--each", action="store_true", help="each chosen feature by itself too")
    parser.add_argument("--seconds", type=float, default=4, help="length of one measurement")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--bots", type=int, default=100)
    parser.add_argument("--outstanding", type=int, default=6, help="events without a reply, per bot")
    parser.add_argument("--rate", type=float, default=2000, help="events a second of the open loop")
    parser.add_argument("--markdown", action="store_true", help="print a section for docs/benchmarks.md")
    args = parser.parse_args(argv)
    if unknown := set(args.feature) - set(FEATURES):
        parser.error("unknown feature: " + ", ".join(sorted(unknown)))
    return args


def contestants(args: argparse.Namespace) -> list[tuple[str, ...]]:
    """Sets of features, the empty one first, the full one last."""
    chosen = tuple(args.feature or FEATURES)
    singles = [(name,) for name in chosen] if args.each and len(chosen) > 1 else []
    return [NOTHING, *singles, chosen]


async def measure(sets: list[tuple[str, ...]], args: argparse.Namespace, progress: Console) -> Results:
    """Every contestant under every load, by turns; all are there all the time, and those that wait do nothing."""
    found: Results = {(features, load): Found() for features in sets for load in LOADS}
    with contextlib.ExitStack() as running:
        cases = {features: running.enter_context(Furnished(features)) for features in sets}
        for turn in range(args.turns):
            for load in LOADS:
                for features, case in cases.items():
                    progress.print(f"turn {turn + 1} of {args.turns}, {load}: {title(features)}", style="dim")
                    found[features, load].turns.append(await _cpu(case, load, args))
    return found


async def _cpu(case: Case, load: str, args: argparse.Namespace) -> dict[str, float]:
    """CPU us of each process per round trip, in one run."""
    common = {"seconds": args.seconds, "bots": args.bots, "warmup": 1, "settle": 0.5}
    if load == "saturation":
        result, cpu = await metered(case, "saturate", outstanding=args.outstanding, **common)
        done = result["round_trips"]
    else:
        result, cpu = await metered(case, "steady", rate=args.rate, **common)
        done = result["sent"] - result["missing"]
    if not done:
        raise RuntimeError("nothing was answered")
    return {process: seconds * 1e6 / done for process, seconds in cpu.items()}


def title(features: tuple[str, ...]) -> str:
    return " ".join(features) or "nothing"


HEAD = ["load", "features", "nexus", "added", "valkey", "added", "worker", "control"]


def rows(found: Results) -> Iterator[list[str]]:
    """Lines of the table: CPU us per round trip."""
    for (features, load), one in found.items():
        base = found[NOTHING, load]
        cells = [f"{one.median('nexus'):.1f}", f"{one.above(base, 'nexus'):+.1f}"]
        cells += [f"{one.median('valkey'):.1f}", f"{one.above(base, 'valkey'):+.1f}"]
        yield [load, title(features), *cells, f"{one.median('worker'):.1f}", f"{one.median('control'):.1f}"]


def verdicts(found: Results) -> Iterator[tuple[str, str, str, str, str]]:
    """What was added under each load against what was promised."""
    features = max((features for features, _ in found), key=len)
    for load in LOADS:
        for process, (must, aim) in PROMISES.items():
            added = found[features, load].above(found[NOTHING, load], process)
            verdict = "aim" if added <= aim else "pass" if added <= must else "FAIL"
            yield f"added in {process}, {load}", f"{added:.1f} us", f"{must:g}", f"{aim:g}", verdict


def main() -> None:
    args, console = parse(), Console()
    found = asyncio.run(measure(contestants(args), args, Console(stderr=True)))
    table = Table(*HEAD, title="CPU us per round trip")
    for row in sorted(rows(found), key=lambda row: LOADS.index(row[0])):
        table.add_row(*row)
    console.print(table)
    held = list(verdicts(found))
    for text, *cells in held:
        console.print(text, *cells, sep="  ", highlight=False)
    if args.markdown:
        lines = [f"Commit {commit()}. {machine()}.", "", *grid(HEAD, sorted(rows(found), key=lambda row: row[0]))]
        print("\n".join([*lines, "", *grid(["promise", "measured", "must", "aim", ""], map(list, held))]))
    sys.exit(any(verdict == "FAIL" for *_, verdict in held))


if __name__ == "__main__":
    main()

"""`python -m bench.features`: what judging, routing, limits and traces add to an event, beside none of them.

The same hub with everything unset and with everything set, by turns: CPU us per round trip in nexus and Valkey, and the
median of the differences. At a fixed rate: a hub that is quicker gets larger batches, which would count as a
difference of features. Words choose features: `rules`, or `rules limits`. Exit code 1 when a promise is not held.
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
NOTHING: tuple[str, ...] = ()


@dataclass(slots=True)
class Found:
    """CPU us per round trip of each process, turn by turn, of one contestant."""

    turns: list[dict[str, float]] = field(default_factory=list)

    def median(self, process: str) -> float:
        return statistics.median(turn[process] for turn in self.turns)

    def above(self, other: Found, process: str) -> float:
        """The median of the differences to another contestant in the same turn."""
        pairs = zip(self.turns, other.turns, strict=True)
        return statistics.median(mine[process] - its[process] for mine, its in pairs)


Results = dict[tuple[str, ...], Found]


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.features", description=__doc__)
    parser.add_argument("feature", nargs="*", help="any of: " + " ".join(FEATURES) + " (default: all, together)")
    parser.add_argument("--each", action="store_true", help="each chosen feature by itself too")
    parser.add_argument("--seconds", type=float, default=3, help="length of one measurement")
    parser.add_argument("--turns", type=int, default=6)
    parser.add_argument("--bots", type=int, default=100)
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
    """Every contestant by turns, back and forth; all are there all the time, and those that wait do nothing."""
    found: Results = {features: Found() for features in sets}
    with contextlib.ExitStack() as running:
        cases = {features: running.enter_context(Furnished(features)) for features in sets}
        for turn in range(args.turns):
            for features in reversed(sets) if turn % 2 else sets:
                progress.print(f"turn {turn + 1} of {args.turns}: {title(features)}", style="dim")
                found[features].turns.append(await _cpu(cases[features], args))
    return found


async def _cpu(case: Case, args: argparse.Namespace) -> dict[str, float]:
    """CPU us of each process per round trip, in one run."""
    options = {"seconds": args.seconds, "bots": args.bots, "rate": args.rate, "warmup": 1, "settle": 0.5}
    result, cpu = await metered(case, "steady", **options)
    done = result["sent"] - result["missing"]
    if not done:
        raise RuntimeError("nothing was answered")
    return {process: seconds * 1e6 / done for process, seconds in cpu.items()}


def title(features: tuple[str, ...]) -> str:
    return " ".join(features) or "nothing"


HEAD = ["features", "nexus", "added", "valkey", "added", "worker", "control"]


def rows(found: Results) -> Iterator[list[str]]:
    """Lines of the table: CPU us per round trip."""
    base = found[NOTHING]
    for features, one in found.items():
        cells = [f"{one.median('nexus'):.1f}", f"{one.above(base, 'nexus'):+.1f}"]
        cells += [f"{one.median('valkey'):.1f}", f"{one.above(base, 'valkey'):+.1f}"]
        yield [title(features), *cells, f"{one.median('worker'):.1f}", f"{one.median('control'):.1f}"]


def verdicts(found: Results) -> Iterator[tuple[str, str, str, str, str]]:
    """What all of them together add against what was promised."""
    everything = found[max(found, key=len)]
    for process, (must, aim) in PROMISES.items():
        added = everything.above(found[NOTHING], process)
        verdict = "aim" if added <= aim else "pass" if added <= must else "FAIL"
        yield f"added in {process}", f"{added:.1f} us", f"{must:g}", f"{aim:g}", verdict


def main() -> None:
    args, console = parse(), Console()
    found = asyncio.run(measure(contestants(args), args, Console(stderr=True)))
    table = Table(*HEAD, title="CPU us per round trip")
    for row in rows(found):
        table.add_row(*row)
    console.print(table)
    held = list(verdicts(found))
    for text, *cells in held:
        console.print(text, *cells, sep="  ", highlight=False)
    if args.markdown:
        lines = [f"Commit {commit()}. {machine()}.", "", *grid(HEAD, rows(found))]
        print("\n".join([*lines, "", *grid(["promise", "measured", "must", "aim", ""], map(list, held))]))
    sys.exit(any(verdict == "FAIL" for *_, verdict in held))


if __name__ == "__main__":
    main()

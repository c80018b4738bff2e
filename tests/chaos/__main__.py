"""`python -m tests.chaos`: break everything on a seeded schedule; exit code 1 when a promise is not held.

FULL=1 (or --full) runs the long form, DEFECTS=1 (or --defects) plants known defects and fails unless each is caught.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table
from tests.chaos.defects import DEFECTS, Defect
from tests.chaos.phases import Phase, Result, run
from tests.chaos.schedule import PHASES, SCENARIOS

KEPT = Path(".chaos")
WIDTH = 150
PATIENCE = 16.0
"""With a defect planted: long enough for an adoption."""


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("phase", nargs="*", help="words of phase or defect names; default: all")
    parser.add_argument("--full", action="store_true", default=bool(os.environ.get("FULL")))
    parser.add_argument("--defects", action="store_true", default=bool(os.environ.get("DEFECTS")))
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED") or secrets.randbelow(10**6)))
    parser.add_argument("--jobs", type=int, default=2, help="phases at a time; in the long form always one")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--drop", action="store_true", help="do not keep the logs of failed phases in " + str(KEPT))
    return parser.parse_args(argv)


def chosen(words: list[str], names: list[str]) -> list[str]:
    """The names that contain any of the words; all without words."""
    return [name for name in names if not words or any(word in name for word in words)]


async def run_phases(args: argparse.Namespace, progress: Console) -> list[Result]:
    """The phases that were asked for (scenarios only by name), each on a deployment of its own."""
    names = [phase.name for phase in (*PHASES, *SCENARIOS) if phase in PHASES or args.phase]
    wanted = [phase for phase in (*PHASES, *SCENARIOS) if phase.name in chosen(args.phase, names)]
    gate = asyncio.Semaphore(1 if args.full else args.jobs)

    async def one(phase: Phase) -> Result:
        async with gate:
            result = await run(phase, full=args.full, seed=args.seed, keep=None if args.drop else KEPT)
        report(phase, result, progress)
        return result

    return await asyncio.gather(*map(one, wanted))


async def run_defects(args: argparse.Namespace, progress: Console) -> list[tuple[Defect, Result]]:
    """Each planted defect in its scenario, quick form."""
    scenarios = {phase.name: phase for phase in (*PHASES, *SCENARIOS)}
    results = []
    for defect in (one for one in DEFECTS if one.name in chosen(args.phase, [one.name for one in DEFECTS])):
        result = await run(
            scenarios[defect.scenario], full=False, seed=args.seed, defect=defect.name, patience=PATIENCE
        )
        results.append((defect, result))
        state = "caught" if caught(defect, result) else "NOT CAUGHT"
        progress.print(f"{defect.name}: {state} after {result.seconds:.0f} s", highlight=False)
        for problem in result.verdict.problems:
            progress.print(f"  {problem}", markup=False, highlight=False)
    return results


def caught(defect: Defect, result: Result) -> bool:
    """Whether the run failed, and by the sign that this defect must leave."""
    return bool(result.verdict.problems) and any(result.verdict.count(sign) for sign in defect.signs)


def report(phase: Phase, result: Result, progress: Console) -> None:
    """One line when a phase has ended, and what is wrong, if anything."""
    state = "FAILED" if result.verdict.problems else "held"
    progress.print(f"{phase.name}: {state} after {result.seconds:.0f} s ({phase.promise})", highlight=False)
    for problem in result.verdict.problems:
        progress.print(f"  {problem}", markup=False, highlight=False)
    for figure, value in result.notes.items():
        progress.print(f"  {figure}: {value}", markup=False, highlight=False)
    if result.kept:
        progress.print(f"  logs: {result.kept}", markup=False)


def show(results: list[Result], console: Console) -> None:
    columns = ("said", "answered", "lost", "twice", "disorder", "unconfirmed", "unknown", "dead", "repeated")
    table = Table("phase", "blows", *columns, "recovery s", "", title=f"Chaos, seed {results[0].seed}")
    for result in results:
        cells = (f"{getattr(result.verdict, column):,}" for column in columns)
        recovery = "-" if result.recovery is None else f"{result.recovery:.1f}"
        state = "[bold red]FAILED[/]" if result.verdict.problems else "[green]held[/]"
        table.add_row(result.phase, str(sum(result.strikes.values())), *cells, recovery, state)
    console.print(table)


def show_defects(results: list[tuple[Defect, Result]], console: Console) -> None:
    table = Table("defect", "scenario", "signs", "s", "", title="Planted defects")
    for defect, result in results:
        signs = ", ".join(f"{sign} {result.verdict.count(sign)}" for sign in defect.signs)
        state = "[green]caught[/]" if caught(defect, result) else "[bold red]NOT CAUGHT[/]"
        table.add_row(defect.name, defect.scenario, signs, f"{result.seconds:.0f}", state)
    console.print(table)


def plain(value: object) -> object:
    """What JSON has no word for."""
    return dict(value) if isinstance(value, Counter) else str(value)


def main() -> None:
    args = parse()
    progress = Console(stderr=True)
    progress.print(f"seed {args.seed}", highlight=False)
    if args.defects:
        found = uvloop.run(run_defects(args, progress))
        results, good = [result for _, result in found], all(caught(*one) for one in found)
        show_defects(found, Console(stderr=args.json, width=WIDTH))
    else:
        results = uvloop.run(run_phases(args, progress))
        good = not any(result.verdict.problems for result in results)
        show(results, Console(stderr=args.json, width=WIDTH))
    if args.json:
        sys.stdout.write(json.dumps([asdict(result) for result in results], default=plain) + "\n")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()

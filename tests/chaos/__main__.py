"""`python -m tests.chaos`: break everything on a seeded schedule; exit code 1 when a promise is not held.

FULL=1 (or --full) runs the long form, DEFECTS=1 (or --defects) plants known defects and fails unless each is caught.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
from dataclasses import asdict
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table
from tests.chaos.phases import PHASES, Phase, Result, run

KEPT = Path(".chaos")


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("phase", nargs="*", help="words of phase or defect names; default: all")
    parser.add_argument("--full", action="store_true", default=bool(os.environ.get("FULL")))
    parser.add_argument("--defects", action="store_true", default=bool(os.environ.get("DEFECTS")))
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED") or secrets.randbelow(10**6)))
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--drop", action="store_true", help="do not keep the logs of failed phases in " + str(KEPT))
    return parser.parse_args(argv)


def chosen(words: list[str], names: list[str]) -> list[str]:
    """The names that contain any of the words; all without words."""
    return [name for name in names if not words or any(word in name for word in words)]


async def run_phases(args: argparse.Namespace, progress: Console) -> list[Result]:
    results = []
    for phase in (phase for phase in PHASES if phase.name in chosen(args.phase, [phase.name for phase in PHASES])):
        results.append(await run(phase, full=args.full, seed=args.seed, keep=None if args.drop else KEPT))
        report(phase, results[-1], progress)
    return results


def report(phase: Phase, result: Result, progress: Console) -> None:
    """One line when a phase has ended, and what is wrong, if anything."""
    state = "FAILED" if result.verdict.problems else "held"
    progress.print(f"{phase.name}: {state} after {result.seconds:.0f} s ({phase.promise})", highlight=False)
    for problem in result.verdict.problems:
        progress.print(f"  {problem}", markup=False, highlight=False)
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


def main() -> None:
    args = parse()
    progress = Console(stderr=True)
    progress.print(f"seed {args.seed}", highlight=False)
    results = uvloop.run(run_phases(args, progress))
    if args.json:
        sys.stdout.write(json.dumps([asdict(result) for result in results]) + "\n")
    else:
        show(results, Console())
    sys.exit(1 if any(result.verdict.problems for result in results) else 0)


if __name__ == "__main__":
    main()

"""`python -m bench`: every contestant in one run, one table. Exit code 1 when a promise is not held."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from bench.cases import CASES
from bench.measure import Figures, idle, saturate, steady
from bench.report import markdown, show

HEADROOM = 1.15  # the open loop is meaningless for whoever can't carry its rate


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("case", nargs="*", help="any of: " + " ".join(CASES) + " (default: all)")
    parser.add_argument("--seconds", type=float, default=5, help="length of one measurement")
    parser.add_argument("--turns", type=int, default=3, help="saturation runs, of which the median counts")
    parser.add_argument("--bots", type=int, default=100, help="bots of the closed loop")
    parser.add_argument("--outstanding", type=int, default=6, help="events without a reply, per bot")
    parser.add_argument("--rate", type=float, default=2000, help="events a second of the open loop")
    parser.add_argument("--runs", type=int, default=5, help="open loop runs, of which the median counts")
    parser.add_argument("--idle", type=int, default=5000, help="idle bots; 0 leaves this part out")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.add_argument("--markdown", type=Path, help="also write a section for docs/benchmarks.md")
    args = parser.parse_args(argv)
    if unknown := set(args.case) - set(CASES):
        parser.error("unknown case: " + ", ".join(sorted(unknown)))
    return args


async def measure(names: list[str], args: argparse.Namespace, progress: Console) -> dict[str, Figures]:
    """Everything about every contestant, on a fresh start of it for each part.

    The contestants take turns, round by round, and medians count: a machine that is slower for a minute is so for all.
    """
    found = {name: Figures(name) for name in names}
    for turn in range(args.turns):
        for name, figures in found.items():
            progress.print(f"{CASES[name].title}: saturation, turn {turn + 1} of {args.turns}", style="dim")
            with CASES[name]() as case:
                figures.add_saturation(*await saturate(case, args.seconds, args.bots, args.outstanding))
    for figures in found.values():
        if args.runs and figures.rate is not None and figures.rate < args.rate * HEADROOM:
            figures.note = f"can't carry {args.rate:,.0f} events/s"
    for turn in range(args.runs):
        for name, figures in found.items():
            if not figures.note:
                progress.print(f"{CASES[name].title}: {args.rate:,.0f} events/s, run {turn + 1}", style="dim")
                with CASES[name]() as case:
                    figures.add_steady(await steady(case, args.rate, args.seconds, bots=100))
    if args.idle and "botmatrix" in found:
        progress.print(f"BotMatrix: {args.idle:,} idle bots", style="dim")
        with CASES["botmatrix"]() as case:
            await idle(case, found["botmatrix"], args.idle, limit=120)
    return found


async def run(args: argparse.Namespace) -> bool:
    progress = Console(stderr=True)
    found = await measure(args.case or list(CASES), args, progress)
    setup = (
        f"{args.bots} bots with {args.outstanding} events each without a reply, median of {args.turns} turns; "
        f"open loop {args.rate:,.0f} events/s over 100 bots, median of {args.runs} runs of {args.seconds:g} s; "
        "bots and contestant share the cores, contestants take turns."
    )
    if args.markdown:
        args.markdown.write_text(markdown(found, setup))
    if args.json:
        print(json.dumps({name: asdict(figures) for name, figures in found.items()}))
    return show(found, Console(stderr=args.json))


def main() -> None:
    sys.exit(0 if asyncio.run(run(parse())) else 1)


if __name__ == "__main__":
    main()

"""`python -m bench`: every contestant in one run, one table. Exit code 1 when a promise is not held."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from bench.cases import CASES, Case
from bench.measure import Figures, idle, saturate, steady_median
from bench.report import markdown, show

HEADROOM = 1.15  # the open loop is meaningless for whoever can't carry its rate


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("case", nargs="*", help="any of: " + " ".join(CASES) + " (default: all)")
    parser.add_argument("--seconds", type=float, default=8, help="length of one measurement")
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


async def measure(kind: type[Case], args: argparse.Namespace, progress: Console) -> Figures:
    """Everything about one contestant, on a fresh start of it for each part."""
    figures = Figures(kind.name)
    progress.print(f"{kind.title}: saturation", style="dim")
    with kind() as case:
        figures.rate, figures.cpu_us = await saturate(case, args.seconds, args.bots, args.outstanding)
    if figures.rate < args.rate * HEADROOM:
        figures.note = f"can't carry {args.rate:,.0f} events/s"
    elif args.runs:
        progress.print(f"{kind.title}: {args.rate:,.0f} events/s", style="dim")
        with kind() as case:
            await steady_median(case, figures, args.rate, args.seconds, args.runs)
    if args.idle and kind.name == "botmatrix":
        progress.print(f"{kind.title}: {args.idle:,} idle bots", style="dim")
        with kind() as case:
            await idle(case, figures, args.idle, limit=120)
    return figures


async def run(args: argparse.Namespace) -> bool:
    progress = Console(stderr=True)
    found = {name: await measure(CASES[name], args, progress) for name in args.case or CASES}
    setup = (
        f"{args.bots} bots with {args.outstanding} events each without a reply; open loop {args.rate:,.0f} "
        f"events/s over 100 bots, median of {args.runs} runs of {args.seconds:g} s; bots and contestant "
        "share the cores."
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

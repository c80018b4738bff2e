"""`python -m bench.console`: the console on a big matrix.

`lists`: how long REST takes to page and search 5,000 bots, 10,000 rules, 1,000,000 messages and as many traces.
`live`: what a viewer gets of 5,000 reports a second, and the longest pause of an open page meanwhile (with Playwright
and chromium). `gateway`: what an open dashboard adds to the nexus's CPU per event. Exit code 1 when a promise is not
held.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Iterator

import httpx
from rich.console import Console
from rich.table import Table

from bench.console_live import Busy, gateway, pauses, received
from bench.console_seed import PASSWORD, Matrix, fill

LONGEST_MS = 200.0
ASKED = {
    "bots, first page": "/api/bots",
    "bots, last page by name": "/api/bots?sort=-nickname&page=100&size=50",
    "bots, search": "/api/bots?q=4242",
    "rules, first page": "/api/admin/routing",
    "rules, page 200": "/api/admin/routing?page=200&size=50",
    "rules, search": "/api/admin/routing?q=77",
    "messages, newest": "/api/messages?from={start}",
    "messages, page 200": "/api/messages?from={start}&page=200&size=50",
    "messages, search": "/api/messages?from={start}&q=harbour",
    "messages, search a rare word": "/api/messages?from={start}&q=xylophone",
    "messages, search what is nowhere": "/api/messages?from={start}&q=nowhere-to-be-found",
    "messages, Chinese search": "/api/messages?from={start}&q=爬山",
    "messages, of a user": "/api/messages?from={start}&user=2001",
    "messages, of a group and a word": "/api/messages?from={start}&group=456&q=morning",
    "traces, newest": "/api/traces?from={start}",
    "traces, failed": "/api/traces?from={start}&outcome=failed",
    "traces, of a bot": "/api/traces?from={start}&bot=qq:10001",
}
ROUNDS = 7


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.console", description=__doc__)
    parser.add_argument("part", nargs="*", choices=["lists", "live", "gateway"], help="which of them (default: all)")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--bots", type=int, default=5_000)
    parser.add_argument("--rate", type=int, default=5_000, help="reports a second of the live part")
    parser.add_argument("--seconds", type=float, default=6, help="length of one measurement")
    parser.add_argument("--turns", type=int, default=4, help="pairs of measurements of the gateway part")
    return parser.parse_args(argv)


def lists(matrix: Matrix) -> Iterator[tuple[str, float, float]]:
    """Of each question: median and longest, ms, of some rounds after one that nobody counts."""
    start = f"{time.time() - 6 * 86_400:.0f}"
    with httpx.Client(base_url=matrix.console, timeout=60) as client:
        client.post("/api/login", json={"username": "admin", "password": PASSWORD}).raise_for_status()
        for name, path in ASKED.items():
            took = []
            for _ in range(ROUNDS + 1):
                begun = time.perf_counter()
                client.get(path.format(start=start)).raise_for_status()
                took.append((time.perf_counter() - begun) * 1e3)
            yield name, statistics.median(took[1:]), max(took[1:])


def measure_lists(args: argparse.Namespace, console: Console) -> bool:
    with Matrix(("rules", "trace")) as matrix:
        asyncio.run(fill(matrix, bots=args.bots, messages=args.messages))
        table = Table(
            "asked by REST", "median ms", "longest ms", title=f"{args.messages:,} messages, {args.bots:,} bots"
        )
        held = True
        for name, median, longest in lists(matrix):
            table.add_row(name, f"{median:.0f}", f"{longest:.0f}")
            held = held and median <= LONGEST_MS
        console.print(table)
    return held


def measure_live(args: argparse.Namespace, console: Console) -> bool:
    with Matrix(("trace",)) as matrix, Busy(matrix, args.rate) as busy:
        batches, hops, left_out = asyncio.run(received(matrix, args.seconds))
        console.print(
            f"{busy.rate:,.0f} reports/s: {batches:.1f} batches/s, {hops:,.0f} reports/s shown, "
            f"{left_out:,.0f}/s said to be left out"
        )
        for page, longest, over in pauses(matrix, args.seconds):
            console.print(f"{page}: longest pause between two frames {longest:.0f} ms, {over} over 200 ms")
    return batches <= 21


def measure_gateway(args: argparse.Namespace, console: Console) -> bool:
    with Matrix(("trace",)) as matrix:
        pairs = asyncio.run(gateway(matrix, turns=args.turns, seconds=args.seconds))
    alone, watched = (statistics.median(pair[at] for pair in pairs) for at in (0, 1))
    added = statistics.median(watched / alone - 1 for alone, watched in pairs) * 100
    console.print(f"nexus: {alone:.1f} us an event alone, {watched:.1f} with a dashboard open: {added:+.1f} %")
    return added < 5


def main() -> None:
    args, console = parse(), Console()
    parts = {"lists": measure_lists, "live": measure_live, "gateway": measure_gateway}
    held = [parts[name](args, console) for name in args.part or parts]
    sys.exit(0 if all(held) else 1)


if __name__ == "__main__":
    main()

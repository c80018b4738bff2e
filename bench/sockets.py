"""`python -m bench.sockets`: what an event and its answer cost the nexus when the worker hears by WebSocket.

The same nexus, the same bots, by turns: a stream worker, a OneBot application that is dialled, an old worker. Exit
code 1 when a socket worker costs more than 1.5 times what a stream worker costs.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import sys

from rich.console import Console
from rich.table import Table

from bench.cases import TOKEN, BotMatrix
from bench.measure import metered
from bench.parts import free_port, source_path, wait_listening

MOST = 1.5
"""Times the CPU of the nexus that a stream worker costs."""


class Application(BotMatrix):
    """The worker is an application that the nexus dials."""

    name, title = "application", "OneBot application"

    def start(self) -> None:
        port = free_port()
        app = self.add("worker", [sys.executable, "-m", "bench.socket_app", "listen", str(port)], source_path())
        wait_listening(app, port)
        self.start_nexus([{"name": "app", "url": f"ws://127.0.0.1:{port}/"}])

    def start_nexus(self, apps: list[dict[str, str]]) -> None:
        """A nexus that dials these."""
        valkey = self.add_valkey()
        home = self.folder / "home"
        home.mkdir(mode=0o700)
        (home / "config.json").write_text(json.dumps({"onebot_apps": apps}))
        env = {**source_path(), "BOTMATRIX_HOME": str(home), "REDIS_URL": valkey.url, "WS_PORT": str(self.port)}
        env |= {"BOT_TOKEN": TOKEN, "WORKER_TOKEN": TOKEN, "NEXUS_ID": "bench", "LOG_LEVEL": "warning"}
        wait_listening(self.add("nexus", self.command("nexus"), env), self.port)


class OldWorker(Application):
    """The worker speaks what old workers speak."""

    name, title = "old", "old worker"

    def start(self) -> None:
        self.start_nexus([])
        url = f"ws://127.0.0.1:{self.port}/ws/workers"
        self.add("worker", [sys.executable, "-m", "bench.socket_app", "dial", url, TOKEN], source_path())


CASES = (BotMatrix, Application, OldWorker)


async def measure(args: argparse.Namespace) -> dict[str, list[dict[str, float]]]:
    """CPU us of each process per round trip, turn by turn."""
    found: dict[str, list[dict[str, float]]] = {case.name: [] for case in CASES}
    with contextlib.ExitStack() as running:
        cases = [running.enter_context(case()) for case in CASES]
        for _ in range(args.turns):
            for case in cases:
                options = {"seconds": args.seconds, "bots": args.bots, "warmup": 1, "settle": 2}
                result, cpu = await metered(case, "steady", rate=args.rate, **options)
                done = result["sent"] - result["missing"]
                found[case.name].append({process: used * 1e6 / done for process, used in cpu.items()})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.sockets", description=__doc__)
    parser.add_argument("--seconds", type=float, default=4, help="length of one measurement")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--bots", type=int, default=20)
    parser.add_argument("--rate", type=float, default=2000, help="events a second")
    args = parser.parse_args()
    found = asyncio.run(measure(args))
    table = Table("worker", "nexus", "times", "valkey", title="CPU us per event and answer")
    base = statistics.median(turn["nexus"] for turn in found["botmatrix"])
    times = {}
    for case in CASES:
        nexus, valkey = (statistics.median(turn[name] for turn in found[case.name]) for name in ("nexus", "valkey"))
        times[case.name] = nexus / base
        table.add_row(case.title, f"{nexus:.1f}", f"{times[case.name]:.2f}", f"{valkey:.1f}")
    Console().print(table)
    sys.exit(max(times.values()) > MOST)


if __name__ == "__main__":
    main()

"""`python -m bench.rude_hub`: what `bench.rude` asks, at the bots: 500 messages a second through a nexus and a worker.

Everybody who speaks has a conversation of his own, and speaks again after four seconds at the earliest: nobody waits
for what he said before. The hostile plugin gets every message, and so does the echo whose answers are timed, from when
a message was due. Everything runs on one machine, so whatever a plugin takes of its processors is missed by everybody.
A turn of which the host of a virtual machine took much is taken again after a rest, once. The worker must be the same
process at the end, and no answer may be missing.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from typing import Any, NamedTuple

from tests.integration.plugins.children import write_isolated

from bench.cases import TOKEN, BotMatrix
from bench.isolated import IN_PROCESS, RATE
from bench.parts import Part, Valkey
from bench.report import commit, machine
from bench.rude import ALONE, BESIDE, MOST, REST, conclude, plugin, turns
from bench.stolen import stolen

BOTS = 250
"""With eight conversations each."""
MUCH = 4
"""Clock ticks a second that the host took of the processors, above which a turn is taken again: a fiftieth of two."""
KEYS = "botmatrix:worker:bench"


class Turn(NamedTuple):
    """`p99`: ms; `missing`: messages without an answer; `stolen`: clock ticks that the host took of the processors."""

    p99: float
    missing: int
    stolen: int


class Rude(BotMatrix):
    """With an echo that leaves a message to others too, and a place for one more plugin."""

    def furnish(self, valkey: Valkey) -> None:
        self.client = valkey.client()

    def add(self, name: str, argv: list[str], env: dict[str, str] | None = None) -> Part:
        if name == "worker":
            self.plugins = self.folder / "home" / "plugins"
            self.plugins.mkdir()
            code = IN_PROCESS.replace('id="echo"', 'id="mine"').replace(
                'command("echo")', 'command("echo", block=False)'
            )
            (self.plugins / "mine.py").write_text(code)
            env = {**(env or {}), "DISABLED_PLUGINS": "echo"}
        return super().add(name, argv, env)

    def worker(self) -> str:
        """The worker's process id, as it says."""
        return str(self.client.hget(KEYS, "pid"))

    def put(self, code: str, manifest: dict[str, Any]) -> None:
        """Put a plugin there; returns when it is loaded."""
        write_isolated(self.folder, code, "other", **manifest)
        (self.folder / "other").rename(self.plugins / "other")
        self._until_loaded(True)

    def take(self) -> None:
        """Take it away again."""
        shutil.rmtree(self.plugins / "other")
        self._until_loaded(False)

    def _until_loaded(self, wanted: bool) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            listed = json.loads(self.client.get(f"{KEYS}:plugins") or b"[]")
            if any(plugin["id"] == "other" for plugin in listed) is wanted:
                return
            time.sleep(0.1)
        raise RuntimeError(f"the plugin was not {'loaded' if wanted else 'unloaded'}:\n{self.parts[-1].tail()}")


def undisturbed(case: Rude, name: str) -> Turn:
    """One turn, or of two that of which less was taken, whatever they show."""
    first = beside(case, name)
    if first.stolen <= MUCH * (ALONE if name == "alone" else BESIDE):
        return first
    time.sleep(REST)
    second = beside(case, name)
    return min(first, second, key=lambda each: each.stolen)._replace(missing=first.missing + second.missing)


def measure(case: Rude, seconds: float) -> Turn:
    """So long, after half a second."""
    argv = [sys.executable, "-m", "bench.load", "steady", "--url", case.url, "--token", TOKEN, "--bots", str(BOTS)]
    argv += ["--rate", str(RATE), "--seconds", f"{seconds:g}", "--warmup", "0.5", "--settle", "0.2"]
    before = stolen()
    said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    result = json.loads(said.splitlines()[-1])["result"]
    return Turn(result["p99_ms"], result["missing"], stolen() - before)


def beside(case: Rude, name: str) -> Turn:
    """One turn beside the plugin of this name, or alone."""
    if name == "alone":
        return measure(case, ALONE)
    case.put(*plugin(name))
    try:
        return measure(case, BESIDE)
    finally:
        case.take()


def run(count: int) -> bool:
    """All of them, so often; alone between any two, as a machine is not the same for long."""
    found: list[tuple[str, Turn]] = []
    case = Rude()
    with case:
        worker = case.worker()
        measure(case, ALONE)
        for name in ["alone", *(one for kind in turns() * count for one in (kind, "alone"))]:
            turn = undisturbed(case, name)
            found.append((name, turn))
            print(f"{name:24} p99 {turn.p99:7.2f} ms, {turn.stolen} ticks stolen", flush=True)
        is_same = case.worker() == worker
    missing = sum(turn.missing for _, turn in found)
    print(f"{missing} messages without an answer; the worker {'lived' if is_same else 'was started again'}")
    return conclude("p99", [(name, turn.p99) for name, turn in found]) <= MOST and not missing and is_same


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.rude_hub", description=__doc__)
    parser.add_argument("--turns", type=int, default=1)
    print(f"{commit()}, {machine()}")
    sys.exit(0 if run(parser.parse_args().turns) else 1)


if __name__ == "__main__":
    main()

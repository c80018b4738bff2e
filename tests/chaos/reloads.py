"""The plugin that answers is exchanged while it is at work, again and again, every other version being broken."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import redis
from bench.parts import Part
from tests.chaos.bots import Crowd
from tests.chaos.nemesis import Nemesis
from tests.chaos.oracle import read_starts
from tests.chaos.stack import PREFIX, Stack

WARM = 3
"""Good versions before anything is counted."""
FOLLOWS_WITHIN = 30.0
MOST_MEMORY = 10 << 20
FILES = 2
"""Connections that come and go by themselves."""
BROKEN = (
    "def (",
    "import no_such_module",
    "raise RuntimeError('at import')",
)
HOOK = """

@plugin.on_startup
async def fail(app: App) -> None:
    raise OSError("no disk")
"""


class Held(NamedTuple):
    """What a worker's process has."""

    threads: int
    files: int
    rss: int


async def reload(nemesis: Nemesis, crowd: Crowd, times: int) -> None:
    """Findings: `not followed`, `served` by a version that was none, `threads`, `files`, `memory` left behind."""
    stack, code = nemesis.stack, nemesis.stack.plugin.read_text()
    for number in range(1, WARM + 1):
        await _exchange(nemesis, code, number, number)
    before = {worker.name: _held(worker) for worker in stack.workers}
    good = WARM
    for number in range(WARM + 1, WARM + times + 1):
        good = number if number % 2 else good
        await _exchange(nemesis, code, number, good)
    crowd.hush()
    await crowd.quiet_until(lambda: not crowd.oracle.waiting(), FOLLOWS_WITHIN)
    for worker in stack.workers:
        _compare(nemesis, worker, before[worker.name])
    starts = await asyncio.to_thread(read_starts, stack.handled)
    served = {int(start.run.partition(":")[0].rpartition(".")[2]) for start in starts}
    wrong = served - {0, *range(1, WARM + 1), *range(1, WARM + times + 1, 2)}
    nemesis.findings["served by a broken version"] += len(wrong)
    nemesis.findings["the last version served nothing"] += good not in served


async def _exchange(nemesis: Nemesis, code: str, number: int, good: int) -> None:
    """Put a version in place; returns when every worker has taken it, or said what is wrong with it."""
    nemesis.count("good version" if number == good else "broken version")
    told = code.replace('"1.0.0"', f'"1.0.{number}"').replace("GENERATION = 0", f"GENERATION = {number}")
    if number != good:
        kinds = [f"{line}\n{told}" for line in BROKEN] + [told + HOOK]
        told = kinds[number // 2 % len(kinds)]
    _put(nemesis.stack.plugin, told)
    try:
        stack = nemesis.stack
        follow = partial(_follows, stack=stack, good=good, number=number)
        await stack.until(lambda: stack.redis(follow), FOLLOWS_WITHIN, "not followed")
    except RuntimeError:
        nemesis.findings["not followed"] += 1


def _put(path: Path, code: str) -> None:
    fresh = path.with_name(".fresh")
    fresh.write_text(code)
    fresh.replace(path)


def _follows(client: redis.Redis, stack: Stack, good: int, number: int) -> bool:
    return all(_says(client, worker.name, good, number) for worker in stack.workers)


def _says(client: redis.Redis, worker: str, good: int, number: int) -> bool:
    found: Any = client.get(f"{PREFIX}worker:{worker}:plugins")
    plugins = json.loads(found or b"[]")
    (chaos,) = [plugin for plugin in plugins if plugin["id"] == "chaos"] or [{}]
    if chaos.get("version") != f"1.0.{good}":
        return False
    return not chaos["error"] if number == good else bool(chaos["error"])


def _held(worker: Part) -> Held:
    process = psutil.Process(worker.pid)
    return Held(process.num_threads(), process.num_fds(), process.memory_info().rss)


def _compare(nemesis: Nemesis, worker: Part, before: Held) -> None:
    after = _held(worker)
    grown = after.rss - before.rss
    threads, files = after.threads - before.threads, after.files - before.files
    nemesis.notes[f"{worker.name} afterwards"] = f"{threads:+} threads, {files:+} files, {grown / (1 << 20):+.1f} MiB"
    nemesis.findings["threads"] += max(0, threads)
    nemesis.findings["files"] += max(0, files - FILES)
    nemesis.findings["memory"] += grown > MOST_MEMORY

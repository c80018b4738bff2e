"""Skill calls and their results in Redis: lanes out, one stream of results in, and nudges."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import NamedTuple

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.connection import ConnectionLost
from botmatrix.bus.envelope import FIELD
from botmatrix.bus.keys import Keys, plain_id
from botmatrix.bus.presence import Presence
from botmatrix.bus.scripts import CALL, REPORT
from botmatrix.routing.rule import POOL
from botmatrix.skills.model import Capability, SkillAnswer, SkillCall, decode_call, decode_capabilities, encode

GROUP = "nexuses"
MARK_SECONDS = 3600
SEEN_SECONDS = 60
ABANDONED_MS = 15_000
"""For how long a nexus may hold results before another one takes them."""
NEWS = 16_384
"""Characters of a result that go with the news of it."""
MOST_TOLD, TOLD_SECONDS = 1000, 5
"""Calls that wait for a nexus to hear of them, and how long each does: later it may have been cancelled."""


class Report(NamedTuple):
    """One entry of the stream of results."""

    entry_id: bytes
    payload: bytes


class SkillBox:
    """Calls and results over one connection, reading over another. Every method raises `EngineUnavailable`."""

    def __init__(self, url: str, keys: Keys, *, name: str) -> None:
        self._keys = keys
        self._client = Client(url, name=name)
        self._reader = Client(url, name=f"{name}-results", timeout=10.0)
        self._ear = Client(url, name=f"{name}-told", timeout=10.0)

    async def call(self, worker_id: str, call: SkillCall, attempt: int) -> bool:
        """Put a call on a worker's lane, once for each attempt; False: there is no such lane."""
        k = self._keys
        if not plain_id(worker_id):
            return False
        keys = [k.lane(worker_id), k.skill_mark(f"{call.execution_id}:{attempt}"), k.stats]
        return bool(await self._client.run(CALL, keys, encode(call), MARK_SECONDS))

    async def tell(self, calls: Sequence[SkillCall]) -> None:
        """Have a nexus put calls on lanes that are written down. What gets lost here is found there later."""
        told = self._keys.skills_told
        await self._client.pipeline(
            ("RPUSH", told, *map(encode, calls)), ("LTRIM", told, -MOST_TOLD, -1), ("EXPIRE", told, TOLD_SECONDS)
        )

    async def told(self, *, count: int = 100, block_ms: int = 1000) -> list[SkillCall]:
        """The next calls that somebody told of just now, which nobody else gets; an empty list after `block_ms`."""
        told = self._keys.skills_told
        first, more = await self._ear.pipeline(("BLPOP", told, str(block_ms / 1000)), ("LPOP", told, count - 1))
        for error in (first, more):
            if isinstance(error, Exception):
                raise error
        found = [*(first[1:] if first else ()), *(more or ())]
        since = time.time() - TOLD_SECONDS
        return [call for payload in found if (call := decode_call(payload)) is not None and call.timestamp > since]

    async def ended(self, answers: Sequence[SkillAnswer]) -> None:
        """Tell whoever waits what came of these; what is long they look up."""
        if answers:
            told = [
                one if len(one.result) + len(one.error) <= NEWS else SkillAnswer(one.execution_id) for one in answers
            ]
            await self._client.call("PUBLISH", self._keys.skills_ended, encode(told))

    async def report(self, payload: bytes) -> bool:
        """Add a result that came another way; False when it is there already."""
        seen = hashlib.sha256(payload).hexdigest()[:32]
        keys = [self._keys.skill_results, self._keys.skill_mark(f"report:{seen}")]
        return bool(await self._client.run(REPORT, keys, payload, SEEN_SECONDS))

    async def results(self, reader: str, *, count: int = 100, block_ms: int = 1000) -> list[Report]:
        """The next results; an empty list after `block_ms`. They stay this reader's until `done`."""
        try:
            return await self._read(reader, count, block_ms)
        except ReplyError as error:
            if not str(error).startswith("NOGROUP"):
                raise
        try:
            await self._reader.call("XGROUP", "CREATE", self._keys.skill_results, GROUP, "0", "MKSTREAM")
        except ReplyError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
        return []

    async def abandoned(self, reader: str) -> list[Report]:
        """Results that a nexus read and never finished; now they are this reader's."""
        claim = ("XAUTOCLAIM", self._keys.skill_results, GROUP, reader, ABANDONED_MS, "0", "COUNT", 100)
        try:
            found = await self._client.call(*claim)
        except ConnectionLost:
            raise
        except ReplyError:
            return []
        return _reports(found[1])

    async def done(self, reports: list[Report]) -> None:
        """These are applied: forget them."""
        ids = [report.entry_id for report in reports]
        stream = self._keys.skill_results
        await self._client.pipeline(("XACK", stream, GROUP, *ids), ("XDEL", stream, *ids))

    async def close(self) -> None:
        """End the connections."""
        await self._client.close()
        await self._reader.close()
        await self._ear.close()

    async def _read(self, reader: str, count: int, block_ms: int) -> list[Report]:
        stream = self._keys.skill_results
        reply = await self._reader.call(
            *("XREADGROUP", "GROUP", GROUP, reader, "COUNT", count, "BLOCK", block_ms, "STREAMS", stream, ">")
        )
        return _reports(reply[0][1]) if reply else []


def _reports(entries: list[tuple[bytes, list[bytes] | None]]) -> list[Report]:
    found = []
    for entry_id, fields in entries:
        known = dict(zip(fields[::2], fields[1::2], strict=False)) if fields else {}
        found.append(Report(entry_id, known.get(FIELD, b"")))
    return found


async def skilled(presence: Presence) -> dict[str, list[Capability]]:
    """What each worker that is there says it can do; workers that never said so, and those that drain, are left out."""
    return skills_of([one for one in await presence.workers() if one.get("draining") != "1"])


def skills_of(workers: Iterable[Mapping[str, str]]) -> dict[str, list[Capability]]:
    """The same, from what they say of themselves."""
    return {one["id"]: decode_capabilities(one["capabilities"]) for one in workers if one.get("capabilities")}


def having(
    skill: str, workers: Mapping[str, list[Capability]], pools: Mapping[str, str], targets: Container[str] | None
) -> list[str]:
    """The workers with a skill; of the targets of a rule only, when there is one. `pools`: worker -> its pool."""
    found = [worker for worker, can in workers.items() if any(one.name == skill for one in can)]
    if targets is None:
        return found
    return [one for one in found if one in targets or POOL + pools.get(one, "") in targets]


def merged(workers: Mapping[str, list[Capability]]) -> dict[str, tuple[Capability, list[str]]]:
    """Skill -> as the first worker describes it, and the ids of all that have it."""
    found: dict[str, tuple[Capability, list[str]]] = {}
    for worker in sorted(workers):
        for one in workers[worker]:
            found.setdefault(one.name, (one, []))[1].append(worker)
    return dict(sorted(found.items()))

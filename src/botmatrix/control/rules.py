"""Changes of the routing rules: PostgreSQL keeps them, Redis carries them to every nexus.

A change is written to PostgreSQL, then to the mirror in Redis, then committed, all under one lock: if Redis is away
nothing has changed. Every few seconds the two are compared. What somebody added or changed in the mirror by hand is
imported; what is missing there is written again. When Redis went back in time (a lost disk, a failover) PostgreSQL is
right.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import structlog

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.keys import Keys
from botmatrix.bus.roster import read_lanes, read_sockets
from botmatrix.bus.rules import RulesMirror
from botmatrix.errors import BotMatrixError, EngineUnavailable
from botmatrix.routing.place import Pools, missing
from botmatrix.routing.rule import BadRule, Rule, as_document
from botmatrix.store.operations import Change, Operations
from botmatrix.store.rules import StoredRules

log = structlog.get_logger(__name__)
SYNC_SECONDS = 5.0
LOOK_AGAIN = 30.0
"""Seconds after which PostgreSQL is read although nothing has changed in the mirror."""
MOST = 100_000
NOTED = 100
"""Rules of one import that get a line each in the operation log."""


class UnknownRule(BotMatrixError):
    """No rule has this key."""

    def __init__(self, key: str) -> None:
        super().__init__(f"there is no routing rule for {key!r}")


class Saved(NamedTuple):
    """What a change came to: the rules as they are now, and as those with their keys, or deleted ones, were before."""

    rules: list[Rule]
    before: dict[str, Rule]
    deleted: list[Rule]


class RuleBook:
    """The routing rules, for REST and the command line. Every method raises `EngineUnavailable`.

    Who changes rules writes it into the operation log; what is imported from the mirror is written there by `sync`.
    """

    def __init__(self, stored: StoredRules, mirror: RulesMirror, operations: Operations) -> None:
        self._stored, self._mirror, self._operations = stored, mirror, operations
        self._version = 0
        self._compared: dict[str, Rule] = {}
        self._look_again = 0.0
        self._problems: dict[str, str] = {}

    async def all(self) -> dict[str, Rule]:
        """Every rule by its key."""
        return await self._stored.all()

    async def rows(self) -> list[dict[str, Any]]:
        """Every rule as plain values, for a list."""
        return await self._stored.rows()

    async def mirrored(self) -> dict[str, str]:
        """The fields of the mirror as they stand in Redis."""
        return await self._mirror.text()

    async def save(self, rules: Iterable[Rule], *, replace: bool = False) -> Saved:
        """Make or change rules, at once or not at all; `replace` deletes all others. A changed rule keeps its age."""
        wanted = {rule.key: rule for rule in rules}
        async with self._stored.change() as change:
            before = await change.all()
            surplus = [key for key in before if key not in wanted] if replace else []
            if len(before) + len(wanted) - len(surplus) > MOST:
                raise BadRule("rules", f"there may be at most {MOST}")
            saved = [_aged(rule, before.get(rule.key)) for rule in wanted.values()]
            await change.save(saved)
            await change.delete(surplus)
            await self._write(saved, surplus)
        return Saved(saved, {key: before[key] for key in wanted if key in before}, [before[key] for key in surplus])

    async def delete(self, key: str) -> Rule:
        """Delete a rule; returns what it was. Raises `UnknownRule`."""
        async with self._stored.change() as change:
            before = (await change.all()).get(key)
            if before is None:
                raise UnknownRule(key)
            await change.delete([key])
            await self._write((), [key])
        return before

    async def run(self, ready: asyncio.Event) -> None:
        """Compare again and again, once the tables are there."""
        await ready.wait()
        while True:
            try:
                await self.sync()
            except (EngineUnavailable, ReplyError) as error:
                log.debug("routing rules are not compared", error=str(error))
            await asyncio.sleep(SYNC_SECONDS)

    async def sync(self) -> None:
        """Import what was changed in the mirror, write what is missing there."""
        mirror = await self._mirror.read()
        self._complain(mirror.problems)
        version, now = mirror.state.version or 0, time.monotonic()
        if version == self._version and mirror.rules == self._compared and now < self._look_again:
            return
        if version >= self._version and not _differences(await self._stored.all(), mirror.rules):
            self._version, self._compared, self._look_again = version, mirror.rules, now + LOOK_AGAIN
            return
        async with self._stored.change() as change:
            stored, mirror = await change.all(), await self._mirror.read()
            if (mirror.state.version or 0) < self._version:
                await self._write(stored.values(), [key for key in mirror.rules if key not in stored])
                log.warning("Redis went back in time: its routing rules were written again", rules=len(stored))
                return
            changed = _differences(stored, mirror.rules)
            imported = [_aged(rule, stored.get(rule.key)) for rule in changed if rule.key in mirror.rules]
            missing = [rule for rule in changed if rule.key not in mirror.rules]
            await change.save(imported)
            await self._write([*missing, *imported], ())
        if imported:
            log.warning("routing rules were changed in Redis", keys=[rule.key for rule in imported[:20]])
            await self._note(imported, stored)
        if missing:
            log.warning("routing rules were missing in Redis", rules=len(missing))

    async def _note(self, imported: list[Rule], before: Mapping[str, Rule]) -> None:
        """Nobody knows who wrote into Redis, but what came of it is known."""
        rows = [
            Change("redis", "mirror", "route.set", one.key, said(before.get(one.key)), said(one)) for one in imported
        ]
        if len(rows) > NOTED:
            rows[NOTED:] = [Change("redis", "mirror", "route.set", f"{len(rows) - NOTED} more rules")]
        for row in rows:
            await self._operations.write(row)

    async def _write(self, saved: Iterable[Rule], deleted: Iterable[str]) -> None:
        version = await self._mirror.write(saved, deleted)
        if version is not None:
            self._version = version

    def _complain(self, problems: Mapping[str, str]) -> None:
        """Tell once of a field that is no rule."""
        for key, problem in problems.items():
            if self._problems.get(key) != problem:
                log.error("a routing rule in Redis can't be read", key=key[:100], problem=problem)
        self._problems = dict(problems)


def said(rule: Rule | None) -> dict[str, Any] | None:
    """A rule, or none, as the operation log has it: what a person would write."""
    return None if rule is None else as_document(rule)


def noted(rules: Sequence[Rule]) -> dict[str, Any]:
    """Many rules as the operation log has them: the first hundred, and how many there are."""
    return {"count": len(rules), "rules": [as_document(rule) for rule in rules[:NOTED]]}


async def warnings(rule: Rule, redis: Client, keys: Keys) -> list[str]:
    """In words, whom the rule names that takes no events now. Raises `EngineUnavailable`."""
    lanes = [(view.lane, view.pool) for view in await read_lanes(redis, keys) if view.takes_events]
    sockets = [(one.id, one.pool) for one in await read_sockets(redis, keys) if one.takes_events]
    return missing(rule, Pools([*lanes, *sockets]))


async def implicit_rules(redis: Client, keys: Keys) -> list[Rule]:
    """The rules that applications are by being attached to bots; none while Redis is away."""
    attached: dict[str, list[str]] = {}
    with contextlib.suppress(EngineUnavailable, ReplyError):
        for one in await read_sockets(redis, keys):
            for bot in sorted(one.bots) if one.is_application else ():
                attached.setdefault(bot.partition(":")[2], []).append(one.id)
    return [Rule(key=f"bot_{self_id}", target=",".join(names)) for self_id, names in sorted(attached.items())]


def _aged(rule: Rule, before: Rule | None) -> Rule:
    created = before.created if before is not None else rule.created or time.time()
    return msgspec.structs.replace(rule, created=created)


def _differences(stored: Mapping[str, Rule], mirror: Mapping[str, Rule]) -> list[Rule]:
    """Rules that are only in one of the two, or say something else in the mirror."""
    changed = [rule for key, rule in mirror.items() if key not in stored or stored[key].says != rule.says]
    return changed + [rule for key, rule in stored.items() if key not in mirror]

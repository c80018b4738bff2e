"""Changes of the routing rules: PostgreSQL keeps them, Redis carries them to every nexus.

A change is written to PostgreSQL, then to the mirror in Redis, then committed, all under one lock: if Redis is away
nothing has changed. Every few seconds the two are compared. What somebody added or changed in the mirror by hand is
imported; what is missing there is written again. When Redis went back in time (a lost disk, a failover) PostgreSQL is
right.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import structlog

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.connection import Argument
from botmatrix.bus.keys import Keys
from botmatrix.errors import BotMatrixError, EngineUnavailable
from botmatrix.routing.rule import BadRule, Rule, mirrored, rule_of
from botmatrix.store.rules import StoredRules

log = structlog.get_logger(__name__)
SYNC_SECONDS = 5.0
MOST = 100_000


class UnknownRule(BotMatrixError):
    """No rule has this key."""

    def __init__(self, key: str) -> None:
        super().__init__(f"there is no routing rule for {key!r}")


class RuleBook:
    """The routing rules, for REST and the command line. Every method raises `EngineUnavailable`."""

    def __init__(self, stored: StoredRules, redis: Client, keys: Keys) -> None:
        self._stored, self._redis, self._keys = stored, redis, keys
        self._version = 0
        self._complained: dict[str, str] = {}

    async def all(self) -> dict[str, Rule]:
        """Every rule by its key."""
        return await self._stored.all()

    async def acting(self) -> list[Rule]:
        """The rules that every nexus follows now."""
        _, mirror = await self._read()
        return list(self._understood(mirror).values())

    async def save(self, rules: Iterable[Rule], *, replace: bool = False) -> list[Rule]:
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
            await self._mirror(saved, surplus)
        return saved

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete rules, all or none. Raises `UnknownRule`."""
        unwanted = list(keys)
        async with self._stored.change() as change:
            before = await change.all()
            for key in unwanted:
                if key not in before:
                    raise UnknownRule(key)
            await change.delete(unwanted)
            await self._mirror((), unwanted)

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
        version, mirror = await self._read()
        if version >= self._version and not _differences(await self._stored.all(), self._understood(mirror)):
            self._version = version
            return
        async with self._stored.change() as change:
            version, mirror = await self._read()
            stored = await change.all()
            rules = self._understood(mirror)
            went_back = version < self._version
            imported = [] if went_back else [r for r in _differences(stored, rules) if r.key in rules]
            imported = [_aged(rule, stored.get(rule.key)) for rule in imported]
            await change.save(imported)
            surplus = [key for key in rules if key not in stored] if went_back else []
            missing = [rule for key, rule in stored.items() if went_back or key not in rules]
            await self._mirror([*missing, *imported], surplus)
        if imported:
            log.warning("routing rules were changed in Redis", keys=[rule.key for rule in imported[:20]])
        if missing:
            log.warning("routing rules were missing in Redis", rules=len(missing))

    async def _read(self) -> tuple[int, Mapping[bytes, bytes]]:
        k = self._keys
        version, flat = _checked(await self._redis.pipeline(("GET", k.rules_version), ("HGETALL", k.rules)))
        return int(version or 0), dict(zip(flat[::2], flat[1::2], strict=True))

    async def _mirror(self, saved: Iterable[Rule], deleted: Iterable[str]) -> None:
        """One transaction in Redis, and a nudge to every nexus."""
        k = self._keys
        changes: list[tuple[Argument, ...]] = [("HSET", k.rules, rule.key, mirrored(rule)) for rule in saved]
        changes += [("HDEL", k.rules, key) for key in deleted]
        if not changes:
            return
        nudge: tuple[Argument, ...] = ("PUBLISH", k.rules_changed, "changed")
        answers = await self._redis.pipeline(("MULTI",), *changes, ("INCR", k.rules_version), nudge, ("EXEC",))
        results = _checked(answers)[-1]
        self._version = int(_checked(results)[-2])

    def _understood(self, mirror: Mapping[bytes, bytes]) -> dict[str, Rule]:
        """The rules of the mirror; one that can't be read is left alone and told of once."""
        rules: dict[str, Rule] = {}
        now = time.time()
        for name, value in mirror.items():
            key = name.decode(errors="replace")
            try:
                rules[key] = rule_of(key, value, now)
            except BadRule as error:
                if self._complained.get(key) != str(error):
                    self._complained[key] = str(error)
                    log.error("a routing rule in Redis can't be read", key=key, problem=str(error))
        return rules


def _aged(rule: Rule, before: Rule | None) -> Rule:
    created = before.created if before is not None else rule.created or time.time()
    return msgspec.structs.replace(rule, created=created)


def _differences(stored: Mapping[str, Rule], mirror: Mapping[str, Rule]) -> list[Rule]:
    """Rules that are only in one of the two, or say something else in the mirror."""
    changed = [rule for key, rule in mirror.items() if key not in stored or stored[key].says != rule.says]
    return changed + [rule for key, rule in stored.items() if key not in mirror]


def _checked(answers: list[Any]) -> list[Any]:
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return answers

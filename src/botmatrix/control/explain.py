"""Explains where an event would go, from the rules that act and the workers as Redis describes them now."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Set
from typing import Any, NamedTuple

import msgspec

from botmatrix.bus.client import Client
from botmatrix.bus.core import CoreBox
from botmatrix.bus.keys import Keys
from botmatrix.bus.roster import read_lanes, read_sockets
from botmatrix.bus.rules import RulesMirror
from botmatrix.config import Settings
from botmatrix.control.explain_notes import Asked, Note
from botmatrix.control.explain_skills import SKILL, Crowd, meant_skill
from botmatrix.control.explain_surroundings import Surroundings
from botmatrix.control.fields import number
from botmatrix.core.config import BadCoreConfig, CoreConfig, parse
from botmatrix.core.judge import Judge
from botmatrix.errors import BadFrame
from botmatrix.onebot.event import Event
from botmatrix.onebot.session import Session
from botmatrix.onebot.v11 import META_EVENT
from botmatrix.routing.balance import Load
from botmatrix.routing.explain import Explanation, Verdict, Way, Whose, by_skill, explain
from botmatrix.routing.place import Pools
from botmatrix.routing.rule import DEFAULT_POOL, POOL, BadRule
from botmatrix.store.tasks import Tasks


class Explained(NamedTuple):
    """An event's conversation, what becomes of it, and the lanes that its ways were last on (or empty).

    `judged`: the reason for which the judge blocks it before anything else is asked, or empty. `notes`: what other
    parts of the hub have to do with it, in the order in which they are asked; one of them may stop it.
    """

    bot: str
    conversation: str
    judged: str
    explanation: Explanation
    last_lanes: list[str]
    notes: list[Note]

    @property
    def is_stopped(self) -> bool:
        """Whether it ends before any rule is asked."""
        return bool(self.judged) or any(note.stops for note in self.notes)

    @property
    def verdict(self) -> Verdict:
        """What becomes of it in the end."""
        return "blocked" if self.is_stopped else self.explanation.verdict

    @property
    def why(self) -> str:
        """In words, why."""
        if self.judged:
            return f"the judge blocks it: {self.judged}"
        return next((note.words for note in self.notes if note.stops), self.explanation.why)


class Explainer:
    """Explains events. The judge is compiled once for each version of its configuration.

    `settings`: those in force; without them, skills and tasks are left out. `tasks`: where conditions are.
    """

    def __init__(
        self, redis: Client, keys: Keys, settings: Callable[[], Settings] | None = None, tasks: Tasks | None = None
    ) -> None:
        self._redis, self._keys, self._box = redis, keys, CoreBox(redis, keys)
        self._version, self._judge = 0, Judge(CoreConfig())
        self._settings, self._tasks, self._surroundings = settings, tasks, Surroundings(redis, keys)

    async def explain(self, event: dict[str, Any], bot: str) -> Explained:
        """Explain an OneBot event. `bot`: `platform:self_id` or its self_id; else the event says whose it is.

        Raises `BadRule` when it is no event, `EngineUnavailable`.
        """
        read = read_event(event)
        platform, _, self_id = bot.rpartition(":")
        asked = Asked(platform.lower() or "qq", self_id or read.self_id, read)
        lanes = [view for view in await read_lanes(self._redis, self._keys) if view.takes_events]
        sockets = [one for one in await read_sockets(self._redis, self._keys) if one.takes(asked.bot)]
        pools = Pools([*((view.lane, view.pool) for view in lanes), *((one.id, one.pool) for one in sockets)])
        loads = {view.lane: _load(view.presence, view.length) for view in lanes}
        loads |= {one.id: _load(one.presence, int(number(one.presence.get("in_flight", 0)))) for one in sockets}
        mirror = await RulesMirror(self._redis, self._keys).read()
        judged = await self._judged(asked)
        attached = [one for one in sockets if one.is_application]
        chosen = [one.id for one in attached if not one.copied or len(attached) == 1]
        copied = [one.id for one in attached if one.copied]
        whose = Whose(asked.self_id, read.group_id, read.user_id, chosen, copied)
        found = await asyncio.to_thread(explain, mirror.rules.values(), whose, pools, loads)
        notes = [] if judged else await self._surroundings.before(asked)
        if not judged and not any(note.stops for note in notes) and found.verdict != "blocked":
            found, more = await self._goes_on(asked, whose, found, Crowd(lanes, pools, loads))
            notes += more
        marks = self._marks(found, set(copied) - set(chosen))
        last = [await self._last_lane(asked.bot, read.conv + mark) for mark in marks]
        return Explained(asked.self_id, read.conv, judged, found, last, notes)

    async def _goes_on(
        self, asked: Asked, whose: Whose, found: Explanation, crowd: Crowd
    ) -> tuple[Explanation, list[Note]]:
        """What else an event sets going that nobody stops."""
        notes: list[Note] = []
        settings = self._settings() if self._settings else None
        if settings is not None and settings.enable_skill:
            notes, way = await asyncio.to_thread(meant_skill, asked, found, crowd, settings)
            if way is not None:
                found = by_skill(found, whose, way, notes[-1].words)
            if self._tasks is not None:
                notes += await self._surroundings.conditions(asked, self._tasks)
        return found, notes + await self._surroundings.after(asked)

    @staticmethod
    def _marks(found: Explanation, beside: Set[str]) -> list[str]:
        def has_own(way: Way) -> bool:
            return bool(found.winner) or way.target in beside or way.target.startswith(SKILL)

        return [_mark(way) if has_own(way) else "" for way in found.ways]

    async def _judged(self, asked: Asked) -> str:
        if (version := await self._box.version()) != self._version:
            kept = await self._box.read()
            with contextlib.suppress(BadCoreConfig):  # no nexus takes it either
                config = parse(kept.document) if kept is not None else CoreConfig()
                self._version, self._judge = version, await asyncio.to_thread(Judge, config)
        return await asyncio.to_thread(self._judge.reason, asked.platform, asked.self_id, asked.event)

    async def _last_lane(self, bot: str, conv: str) -> str:
        lane = await self._redis.call("HGET", self._keys.affinity(bot), conv)
        return lane.decode(errors="replace") if lane else ""


def read_event(event: dict[str, Any]) -> Event:
    """An event as the gateway would read it; what is left out is taken for a message. Raises `BadRule`."""
    kind = "group" if event.get("group_id") else "private"
    whole = {"post_type": "message", "message_type": kind, **event}
    try:
        read = Session("", "").receive(msgspec.json.encode(whole))
    except BadFrame as error:
        raise BadRule("event", f"is no OneBot event ({error.reason})") from None
    except (UnicodeEncodeError, msgspec.EncodeError, RecursionError):
        raise BadRule("event", "can't be written as JSON") from None
    if not isinstance(read, Event) or read.post_type == META_EVENT:
        raise BadRule("event", "is no OneBot event that is routed")
    return read


def _mark(way: Way) -> str:
    """What ends the name of the part of a conversation that goes this way (`Route.mark`)."""
    return "" if way.target == POOL + DEFAULT_POOL else "\t" + way.target


def _load(known: dict[str, str], in_flight: int) -> Load:
    """What a nexus would think of the worker if it had heard all that the worker says of itself."""
    load = Load(time.time(), number(known.get("response_ms", 0)) / 1000)
    load.in_flight = in_flight
    return load

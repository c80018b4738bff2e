"""Explains where an event would go, from the rules that act and the workers as Redis describes them now."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import msgspec

from botmatrix.bus.client import Client
from botmatrix.bus.keys import Keys
from botmatrix.bus.roster import LaneView, read_lanes
from botmatrix.bus.rules import RulesMirror
from botmatrix.control.fields import number
from botmatrix.errors import BadFrame
from botmatrix.onebot.event import Event
from botmatrix.onebot.session import Session
from botmatrix.onebot.v11 import META_EVENT
from botmatrix.routing.balance import Load
from botmatrix.routing.explain import Explanation, explain
from botmatrix.routing.place import Pools
from botmatrix.routing.rule import BadRule
from botmatrix.routing.table import route_of


class Explained(NamedTuple):
    """An event's conversation, what becomes of it, and the lane that the conversation was last on (or empty)."""

    bot: str
    conversation: str
    explanation: Explanation
    last_lane: str


async def explain_event(redis: Client, keys: Keys, event: dict[str, Any], bot: str) -> Explained:
    """Explain an OneBot event. `bot`: `platform:self_id` or its self_id; else the event says whose it is.

    Raises `BadRule` when it is no event, `EngineUnavailable`.
    """
    read = read_event(event)
    self_id = bot.rpartition(":")[2] or read.self_id
    lanes = await read_lanes(redis, keys)
    pools = Pools((view.lane, view.pool) for view in lanes if view.takes_events)
    loads = {view.lane: _load(view) for view in lanes}
    rules = (await RulesMirror(redis, keys).read()).rules.values()
    found = explain(rules, self_id, read.group_id, read.user_id, pools, loads)
    mark = route_of(found.winner.rule).mark if found.winner else ""
    return Explained(self_id, read.conv, found, await _last_lane(redis, keys, bot, read.conv + mark))


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


def _load(view: LaneView) -> Load:
    """What a nexus would think of the worker if it had heard all that the worker says of itself."""
    known = view.presence
    seconds = (number(known.get("handling_ms", 0)) + number(known.get("waiting_ms", 0))) / 1000
    load = Load(time.time(), seconds)
    load.in_flight = view.length
    return load


async def _last_lane(redis: Client, keys: Keys, bot: str, conv: str) -> str:
    if ":" not in bot:
        return ""
    platform, _, self_id = bot.partition(":")
    lane = await redis.call("HGET", keys.affinity(f"{platform.lower()}:{self_id}"), conv)
    return lane.decode() if lane else ""

"""The list of all bots: Redis knows what they do now, the table what they did; only one page is read in full.

To sort and to search, a few fields of every bot are enough; with thousands of bots that is what keeps a page cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from botmatrix.bus.presence import Presence, state_of
from botmatrix.control.fields import number
from botmatrix.control.paging import Listing
from botmatrix.store.seen import Seen

COUNTERS: Final = ("received", "sent", "failed")
TEXTS: Final = ("bot", "state", "nickname", "nexus", "remote", "user_agent")
SORTS: Final = (
    *("bot", "state", "nickname", "since", "received", "sent", "failed", "last_event_at", "groups"),
    *("first_seen", "last_seen", "total_received", "total_sent", "total_failed"),
)

Live = Mapping[str, str]
Row = Mapping[str, Any]
_DATES: Final = ("first_seen", "last_seen")


async def bot_page(presence: Presence, seen: Seen, wanted: Listing) -> tuple[list[dict[str, Any]], int]:
    """The page that is wanted, and how many bots match in all. Raises `EngineUnavailable`."""
    fields = {wanted.field, *(TEXTS if wanted.q else ())}
    alive = await presence.living_nexuses()
    live = await presence.bot_fields(_live_fields(fields))
    known = await seen.bot_fields(_columns(fields))
    readers = {field: _reader(field, alive) for field in fields}
    rows = [
        {"bot": bot, **{field: read(bot, live.get(bot, {}), known.get(bot)) for field, read in readers.items()}}
        for bot in live.keys() | known.keys()
    ]
    page, total = wanted.window(rows, texts=TEXTS)
    names = [str(row["bot"]) for row in page]
    whole, rest = await presence.some_bots(names), await seen.some_bots(names)
    return [described(one["bot"], one, rest.get(one["bot"]), alive) for one in whole], total


def described(bot: str, live: Live, seen: Row | None, alive: set[str]) -> dict[str, Any]:
    """What Redis and the table know of a bot, numbers as numbers: the fields of `Bot`, unchecked."""
    platform, _, self_id = bot.partition(":")
    row: dict[str, Any] = {"bot": bot, "platform": platform, "self_id": self_id}
    if seen is not None:
        row |= {name: seen[name] for name in ("nickname", "remote", "user_agent", "nexus")}
        row |= {name: seen[name].timestamp() for name in _DATES}
    row |= live
    row |= {name: number(live.get(name)) for name in ("since", "groups", "last_event_at", *COUNTERS)}
    row |= {f"total_{name}": _total(name, live, seen) for name in COUNTERS}
    row["state"] = state_of(live, alive)
    return row


def _reader(field: str, alive: set[str]) -> Callable[[str, Live, Row | None], Any]:
    """How one field of a bot is read: the same as in `described`, but alone."""
    if field == "bot":
        return lambda bot, live, seen: bot
    if field == "state":
        return lambda bot, live, seen: state_of(live, alive)
    if field in _DATES:
        return lambda bot, live, seen: seen[field].timestamp() if seen is not None else None
    if field.startswith("total_"):
        return lambda bot, live, seen: _total(field.removeprefix("total_"), live, seen)
    if field in TEXTS:
        return lambda bot, live, seen: live.get(field, seen[field] if seen is not None else "")
    return lambda bot, live, seen: number(live.get(field))


def _live_fields(fields: set[str]) -> list[str]:
    """What Redis must tell to know these fields."""
    needed: set[str] = set()
    for field in fields - {"bot", *_DATES}:
        needed.add(field.removeprefix("total_"))
        if field == "state" or field.startswith("total_"):
            needed.add("nexus")
    return sorted(needed)


def _columns(fields: set[str]) -> list[str]:
    """What the table must tell to know these fields."""
    needed = {field for field in fields if field in ("nickname", "nexus", "remote", "user_agent", *_DATES)}
    for field in fields:
        if field.startswith("total_"):
            name = field.removeprefix("total_")
            needed |= {name, f"nexus_{name}", "nexus"}
    return sorted(needed)


def _total(name: str, live: Live, seen: Row | None) -> int:
    """What the table has, and what was counted since it was written."""
    now = int(number(live.get(name)))
    if seen is None:
        return now
    counted: int = seen[name]
    before = seen[f"nexus_{name}"] if seen["nexus"] == live.get("nexus") else 0
    return counted + max(0, now - before)

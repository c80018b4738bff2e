"""Known defects of such a protocol, each planted in the real product: the chaos run must catch every one of them.

Most are a change of the text of a Lua script, made before anything else of the product is loaded; the others replace a
method. A change whose place is not found any more raises `LookupError`: a defect that is not planted proves nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MARK_TTL = 2.0
"""Seconds that a duplicate mark lives where a defect relies on it: the outage is made longer."""


@dataclass(frozen=True, slots=True)
class Defect:
    """`scenario` names the phase that must fail; `signs` are the counts of which at least one must not be 0."""

    name: str
    scenario: str
    signs: tuple[str, ...]
    plant: Callable[[], None]


def edit_script(name: str, *edits: tuple[str, str]) -> None:
    """Replace text in a script of the bus. To be called before anything that imports the script."""
    import hashlib

    from botmatrix.bus import scripts

    old = getattr(scripts, name)
    text = old.text
    for before, after in edits:
        if before not in text:
            raise LookupError(f"{name} has no {before!r} any more: plant the defect anew")
        text = text.replace(before, after)
    sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    new = type(old)(old.name, text, sha)
    setattr(scripts, name, new)
    setattr(scripts, "ALL", tuple(new if script is old else script for script in scripts.ALL))  # noqa: B010


def replace_name(owner: object, name: str, wrap: Callable[[Any], Any]) -> None:
    """Put `wrap(the old one)` in the place of a method of a class, or of a name of a module."""
    if name not in vars(owner):
        raise LookupError(f"{owner} has no {name} any more: plant the defect anew")
    setattr(owner, name, wrap(vars(owner)[name]))


FENCE = "if redis.call('XACK', KEYS[1], group, id) == 0 then"


def acknowledge_before_the_effect() -> None:
    """What is read is acknowledged and deleted at once; handling comes after."""
    edit_script("SETTLE", (FENCE, "if false then"))
    from botmatrix.bus.lanes import Delivery, Lane, Lanes

    def wrap(read: Any) -> Any:
        async def eager(self: Lanes, lane: Lane, count: int, block_ms: int) -> list[Delivery]:
            deliveries: list[Delivery] = await read(self, lane, count, block_ms)
            if deliveries:
                stream, ids = self._keys.lane(lane.name), [delivery.entry_id for delivery in deliveries]
                await self._client.call("XACK", stream, lane.group, *ids)
                await self._client.call("XDEL", stream, *ids)
            return deliveries

        return eager

    replace_name(Lanes, "read", wrap)


def no_adoption() -> None:
    """Nobody looks after the lane of a dead worker."""
    from botmatrix.bus.lanes import Lanes

    def wrap(_orphans: Any) -> Any:
        async def blind(_self: Lanes) -> list[str]:
            return []

        return blind

    replace_name(Lanes, "orphans", wrap)


def pick_again_before_the_lane_is_empty() -> None:
    """A conversation is balanced afresh each second, whatever of it waits on its lane."""
    from botmatrix.nexus.pins import Pins

    def wrap(_settled: Any) -> Any:
        return staticmethod(lambda _pin, _state: True)

    replace_name(Pins, "_settled", wrap)


def group_kept_on_adoption() -> None:
    """The new owner reads on in the old owner's group: what that one had read is nobody's."""
    edit_script(
        "JOIN",
        ("local group = 'g' ..", "local group = old or 'g' .."),
        ("redis.pcall('XGROUP', 'DESTROY', KEYS[3], old or 'none')", ""),
        ("redis.call('XGROUP', 'CREATE'", "redis.pcall('XGROUP', 'CREATE'"),
    )


def adopter_ignores_the_lease() -> None:
    """Lanes of workers that live are adopted too."""
    edit_script("JOIN", ("if alive and ARGV[3] ~= '1' then return 'BUSY' end", ""))
    from botmatrix.bus.lanes import Lanes

    def wrap(_orphans: Any) -> Any:
        async def greedy(self: Lanes) -> list[str]:
            flat = await self._client.call("HGETALL", self._keys.own)
            return [lane.decode() for lane in flat[::2]]

        return greedy

    replace_name(Lanes, "orphans", wrap)


def random_action_ids() -> None:
    """An action that leaves early has another id when its handler runs again."""
    from botmatrix.sdk.outbox import Outbox

    def wrap(entry: Any) -> Any:
        def random_entry(self: Outbox, bot: str, action: str, params: bytes) -> Any:
            made = entry(self, bot, action, params)
            made.aid = secrets.token_hex(12)
            return made

        return random_entry

    replace_name(Outbox, "entry", wrap)


def mark_kept_after_a_failed_xadd() -> None:
    """The retry of an event that met a refusing lane is called a duplicate."""
    edit_script("INGEST", ("if mark ~= '' then redis.call('DEL', mark) end", ""))


def mark_instead_of_batch_number() -> None:
    """Only the duplicate mark tells a batch sent again from a new one, and it has expired by then."""
    edit_script("INGEST", ("if seq <= stored then return", "if false then return"), ("if seq > stored + 1", "if false"))
    from botmatrix.nexus.ingest import Ingest

    def wrap(init: Any) -> Any:
        def short(self: Ingest, *args: Any, **options: Any) -> None:
            init(self, *args, **{**options, "mark_ttl": MARK_TTL})

        return short

    replace_name(Ingest, "__init__", wrap)


def actions_before_the_acknowledgement() -> None:
    """When Redis is full, enqueuing the actions is refused and nothing is ever acknowledged."""
    insist = "local function insist(bot, payload) if not enqueue(bot, payload) then error('refused') end end\n"
    edit_script(
        "SETTLE",
        ("for j = 0, k - 1 do whole = enqueue(ARGV[at + 2 * j], ARGV[at + 2 * j + 1]) and whole end", ""),
        (FENCE, "for j = 0, k - 1 do insist(ARGV[at + 2 * j], ARGV[at + 2 * j + 1]) end\n  " + FENCE),
        ("local at = 5", insist + "local at = 5"),
    )


def variadic_xack() -> None:
    """One XACK for all: when any of them was ours, all are sent."""
    edit_script(
        "SETTLE",
        ("local at = 5", "local ids, walk = {}, 5\nfor i = 1, tonumber(ARGV[4]) do\n  ids[i] = ARGV[walk]\n"
         "  walk = walk + 4 + 2 * tonumber(ARGV[walk + 3])\nend\n"
         "local ours = redis.call('XACK', KEYS[1], group, unpack(ids))\nlocal at = 5"),
        (FENCE, "if ours == 0 then"),
    )  # fmt: skip


def maxlen_100() -> None:
    """A lane is trimmed to its newest hundred entries."""
    edit_script("INGEST", ("'NOMKSTREAM', '*', 'payload'", "'NOMKSTREAM', 'MAXLEN', '100', '*', 'payload'"))


def no_bot_epoch() -> None:
    """A nexus is never told that another one has its bot now."""
    edit_script(
        "CLAIM",
        ("local epoch = redis.call('INCR', KEYS[2])", "local epoch = 1"),
        ("if old and old ~= ARGV[2] then", "if false then"),
    )


def swallowed_xadd_error() -> None:
    """What a lane refuses is counted as accepted."""
    edit_script("INGEST", ("letters[i], bad = id and 'e' or 'r', true", "letters[i], added = 'a', added + 1"))


def no_dead_letter() -> None:
    """What is given up is gone."""
    edit_script(
        "SETTLE", ("local dead = redis.pcall('XADD', KEYS[2],", "local dead = nil and redis.pcall('XADD', KEYS[2],")
    )


def blind_balance() -> None:
    """Any worker of the pool, however busy."""
    from botmatrix.nexus import workers

    replace_name(workers, "pick", lambda _pick: lambda lanes, _loads, rng: rng.choice(lanes))


DEFECTS = (
    Defect("acknowledge-before-the-effect", "worker kill -9", ("lost",), acknowledge_before_the_effect),
    Defect("no-adoption", "worker gone", ("lost",), no_adoption),
    Defect("pick-again-before-the-lane-is-empty", "worker gone", ("disorder",), pick_again_before_the_lane_is_empty),
    Defect("group-kept-on-adoption", "worker gone", ("lost",), group_kept_on_adoption),
    Defect("adopter-ignores-the-lease", "calm", ("repeated", "lost"), adopter_ignores_the_lease),
    Defect("random-action-ids", "early sends", ("twice",), random_action_ids),
    Defect("mark-kept-after-a-failed-xadd", "refusing lane", ("lost",), mark_kept_after_a_failed_xadd),
    Defect("mark-instead-of-batch-number", "replies lost", ("twice", "surplus"), mark_instead_of_batch_number),
    Defect("actions-before-the-acknowledgement", "valkey full", ("stuck",), actions_before_the_acknowledgement),
    Defect("variadic-xack", "another hand", ("twice", "lost"), variadic_xack),
    Defect("maxlen-100", "calm", ("lost",), maxlen_100),
    Defect("no-bot-epoch", "two nexuses", ("usurped",), no_bot_epoch),
    Defect("swallowed-xadd-error", "refusing lane", ("lost",), swallowed_xadd_error),
    Defect("no-dead-letter", "failing handlers", ("lost",), no_dead_letter),
    Defect("blind-balance", "one slow worker", ("overloaded",), blind_balance),
)

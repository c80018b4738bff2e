"""Hot configuration: hashes in Redis that every process goes by within seconds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from botmatrix.bus.hot_values import BadHotValues, Kind, check, defaults
from botmatrix.control.audit import Noting
from botmatrix.control.auth import ADMIN, VIEWER
from botmatrix.control.errors import protected
from botmatrix.control.parts import UsedParts

router = APIRouter(prefix="/api/admin/redis", tags=["hot configuration"])
_MOST_NAMED = 10

Name = Annotated[str, StringConstraints(pattern=r"^[^\s\x00-\x1f\x7f]{1,200}$")]
Value = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{0,2000}$")]


class HotConfig(BaseModel):
    """The hashes as they stand in Redis.

    `defaults`: what holds where a field is missing. `problems`: fields that can't be used, and why; instead of such a
    field its last good value stays.
    """

    success: Literal[True] = True
    ratelimit: dict[str, str]
    ttl: dict[str, str]
    rules: dict[str, str]
    defaults: dict[str, dict[str, int]]
    problems: dict[str, dict[str, str]]


class HotChange(BaseModel):
    """Fields to set in one hash; an empty value drops the field. `clear`: drop all others."""

    model_config = ConfigDict(extra="forbid")

    type: Kind
    data: Annotated[dict[Name, Value], Field(max_length=10_000)] = {}
    clear: StrictBool = False


@router.get("/config", responses=protected(), dependencies=[VIEWER])
async def read_hot_config(parts: UsedParts) -> HotConfig:
    """What every process goes by."""
    found = {kind: await parts.hot.read(kind) for kind in Kind}
    checked = (Kind.RATELIMIT, Kind.TTL)
    return HotConfig(
        ratelimit=found[Kind.RATELIMIT],
        ttl=found[Kind.TTL],
        rules=found[Kind.RULES],
        defaults={kind: defaults(kind) for kind in checked},
        problems={kind: check(kind, found[kind]).problems for kind in checked},
    )


@router.post("/config", responses=protected(), dependencies=[ADMIN])
async def change_hot_config(change: HotChange, parts: UsedParts, note: Noting) -> HotConfig:
    """Set fields; refused as a whole when one of them can't be used. It acts everywhere within a second."""
    _refuse_bad(change)
    before = await parts.hot.change(change.type, change.data, clear=change.clear)
    after = {} if change.clear else dict(before)
    after |= change.data
    note.say("hot.change", change.type.value, **_difference(before, {k: v for k, v in after.items() if v}))
    if note.before == note.after:
        note.nothing_changed()
    return await read_hot_config(parts)


def _refuse_bad(change: HotChange) -> None:
    """Raises `BadHotValues`."""
    if change.type is Kind.RULES:
        if change.clear:
            raise BadHotValues("clear: the hash only mirrors the rules, so this would delete none")
        return
    problems = check(change.type, {name: value for name, value in change.data.items() if value}).problems
    if problems:
        named = [f"data.{name}: {why}" for name, why in list(problems.items())[:_MOST_NAMED]]
        left = len(problems) - _MOST_NAMED
        raise BadHotValues("; ".join(named) + (f"; and {left} more" if left > 0 else ""))


def _difference(before: dict[str, str], after: dict[str, str]) -> dict[str, dict[str, Any]]:
    """The fields that are different, as they were and as they are."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {
        "before": {name: before[name] for name in names if name in before},
        "after": {name: after[name] for name in names if name in after},
    }

"""Hot configuration: hashes in Redis that every process goes by within seconds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from botmatrix.bus.hot_values import BadHotValues, Kind, check, defaults
from botmatrix.control.audit import Noting
from botmatrix.control.auth import ADMIN, VIEWER
from botmatrix.control.errors import protected
from botmatrix.control.parts import Parts, UsedParts
from botmatrix.control.rules import said
from botmatrix.routing.rule import BadRule, rule_of

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
    """Fields to set in one hash; an empty value drops the field. `clear`: drop all others.

    With `rules` each field is a rule, written as in the hash; rules are dropped by `DELETE /api/admin/routing` only.
    """

    model_config = ConfigDict(extra="forbid")

    type: Literal["ratelimit", "ttl", "rules"]
    data: Annotated[dict[Name, Value], Field(max_length=10_000)] = {}
    clear: StrictBool = False


@router.get("/config", responses=protected(), dependencies=[VIEWER])
async def read_hot_config(parts: UsedParts) -> HotConfig:
    """What every process goes by."""
    found = {kind: await parts.hot.read(kind) for kind in Kind}
    return HotConfig(
        ratelimit=found[Kind.RATELIMIT],
        ttl=found[Kind.TTL],
        rules=await parts.rules.mirrored(),
        defaults={kind: defaults(kind) for kind in Kind},
        problems={kind: check(kind, found[kind]).problems for kind in Kind},
    )


@router.post("/config", responses=protected(), dependencies=[ADMIN])
async def change_hot_config(change: HotChange, parts: UsedParts, note: Noting) -> HotConfig:
    """Set fields; refused as a whole when one of them can't be used. It acts everywhere within a second."""
    before, after = await (_save_rules if change.type == "rules" else _set_fields)(change, parts)
    note.say("hot.change", change.type, before=before, after=after)
    if before == after:
        note.nothing_changed()
    return await read_hot_config(parts)


Difference = tuple[dict[str, Any], dict[str, Any]]


async def _set_fields(change: HotChange, parts: Parts) -> Difference:
    """Raises `BadHotValues`."""
    kind = Kind(change.type)
    problems = check(kind, {name: value for name, value in change.data.items() if value}).problems
    if problems:
        named = [f"data.{name}: {why}" for name, why in list(problems.items())[:_MOST_NAMED]]
        left = len(problems) - _MOST_NAMED
        raise BadHotValues("; ".join(named) + (f"; and {left} more" if left > 0 else ""))
    before = await parts.hot.change(kind, change.data, clear=change.clear)
    after = ({} if change.clear else before) | change.data
    names = [name for name in before | after if before.get(name, "") != after.get(name, "")]
    return {n: before[n] for n in names if n in before}, {n: after[n] for n in names if after.get(n)}


async def _save_rules(change: HotChange, parts: Parts) -> Difference:
    """Raises `BadHotValues`."""
    if change.clear or not all(change.data.values()):
        raise BadHotValues("rules are dropped by DELETE /api/admin/routing?key=...")
    try:
        rules = [rule_of(key, value.encode()) for key, value in change.data.items()]
    except BadRule as error:
        raise BadHotValues(f"data: {error}") from None
    saved = await parts.rules.save(rules)
    return {key: said(rule) for key, rule in saved.before.items()}, {rule.key: said(rule) for rule in saved.rules}

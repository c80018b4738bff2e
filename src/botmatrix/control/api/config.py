"""The settings: what is in force and where it comes from; changes that every node takes over."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Body, Depends
from pydantic import BaseModel

from botmatrix.config import STORABLE, Current, Source, is_relayed
from botmatrix.config.about import FOR_OWNERS
from botmatrix.config.view import locked_by, view
from botmatrix.control.audit import Noting
from botmatrix.control.auth import Principal, needs
from botmatrix.control.errors import ApiError, protected
from botmatrix.control.kept_secrets import with_kept
from botmatrix.control.parts import UsedParts
from botmatrix.store.tables import Role

router = APIRouter(prefix="/api/admin/config", tags=["settings"])
LARGEST: Final = 64 * 1024
"""Bytes of JSON that one value may have."""

Administrator = Annotated[Principal, Depends(needs(Role.ADMIN))]


class Setting(BaseModel):
    """One setting. `value` is in force in this process, `pending` after a restart.

    A secret shows only whether it is `set`; of servers to dial everything but their tokens is shown. `locked_by`: an
    environment variable, a flag, `up`, or that each node has its own: the database has no say then.
    """

    value: Any
    set: bool
    secret: bool
    source: Source
    default: Any
    hot: bool
    needs_restart: bool
    pending: Any
    locked_by: str
    for_owners: bool
    description: str
    expected: str


class Settings(BaseModel):
    """Every setting by its key. `needs_restart`: the keys whose new value waits for one."""

    success: Literal[True] = True
    config: dict[str, Setting]
    needs_restart: list[str]


class Changed(Settings):
    """The settings after a change. `published`: every part takes over what is hot within a second."""

    published: bool


Change = Annotated[
    dict[str, Any],
    Body(
        description="Values by key; null gives a key back to config.json or its default.",
        json_schema_extra={"minProperties": 1, "examples": [{"log_level": "debug", "worker_concurrency": None}]},
    ),
]


@router.get("", responses=protected())
async def read_config(_: Administrator, parts: UsedParts) -> Settings:
    """Every setting, its source, and whether it waits for a restart. Secrets are never shown."""
    await parts.settings_keeper.reconcile()
    return Settings(**_body(parts.current))


@router.post("", responses=protected(409))
async def change_config(body: Change, asker: Administrator, parts: UsedParts, note: Noting) -> Changed:
    """Keep values in the database, for every node; all of them or none. Tokens and code folders: owners only.

    An entry of `bots` that comes without its token or secret keeps what it had.
    """
    change = with_kept(_checked(body, asker.role, parts.current), parts.current.wanted.bots)
    done = await parts.settings_keeper.change(change, asker.user.username)
    note.say("config.set", ", ".join(sorted(change)), before=dict(done.before), after=change)
    return Changed(**_body(parts.current), published=done.published)


def _body(current: Current) -> dict[str, Any]:
    config = {
        one.key: Setting(
            for_owners=one.key in FOR_OWNERS,
            **{name: getattr(one, name) for name in Setting.model_fields if name != "for_owners"},
        )
        for one in view(current, under_up=is_relayed())
    }
    return {"config": config, "needs_restart": list(current.pending)}


def _checked(body: Mapping[str, Any], role: Role, current: Current) -> dict[str, Any]:
    """The change with its keys as we spell them. Raises `ApiError`; values are checked later."""
    change = {key.lower(): value for key, value in body.items()}
    if not change:
        raise ApiError(422, "invalid", "name at least one setting")
    if len(change) < len(body):
        raise ApiError(422, "invalid", "a key stands there twice: keys are compared without case")
    for key, value in change.items():
        if key in FOR_OWNERS and not role.covers(Role.OWNER):
            raise ApiError(403, "needs_owner", f"only an owner sets {key}")
        if key in STORABLE and (lock := locked_by(STORABLE[key], current.wanted)):
            raise ApiError(409, "locked", f"{key} is set by {lock}, which is stronger than the database")
        if len(json.dumps(value)) > LARGEST:
            raise ApiError(422, "invalid", f"{key}: longer than {LARGEST // 1024} KiB")
    return change

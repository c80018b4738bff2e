"""Plugins: what every worker has, what is wanted everywhere, and who hears which."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from fastapi import Path as InPath
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from botmatrix.control.audit import Noting
from botmatrix.control.auth import ADMIN, VIEWER, Asker
from botmatrix.control.errors import ApiError, protected
from botmatrix.control.fields import Count, Number
from botmatrix.control.keeper import Current
from botmatrix.control.paging import Listing, Page, listing
from botmatrix.control.parts import UsedParts
from botmatrix.control.plugin_view import plugins_of_all
from botmatrix.core.plugins import (
    ID_PATTERN,
    Cell,
    Chosen,
    Place,
    PluginId,
    PluginWishes,
    in_safe_mode,
    reloaded,
    switched,
    with_cells,
)

router = APIRouter(prefix="/api/plugins", tags=["plugins"])


class OfWorker(BaseModel):
    """A plugin in one worker. `state`: loaded, disabled or failed; `error`: why it, or its newer version, is not there.

    `since` and `error_at`: unix seconds. `shadowed`: what else has this id there and does not serve. `draining`:
    older versions that still work on events. `process`: of one in a process of its own. `settings_error`: why it does
    not go by the newest settings, but by `settings_version`. `interrupted`: how often it blocked the worker
    until it was interrupted, since the worker started; `interrupted_at`: when last (unix s).
    """

    worker: str
    version: str = ""
    state: str = ""
    error: str = ""
    error_at: Number = 0.0
    since: Number = 0.0
    source: str = ""
    shadowed: list[str] = []
    draining: Count = 0
    process: dict[str, Any] | None = None
    refused: dict[str, int] | None = None
    interrupted: Count = 0
    interrupted_at: Number = 0.0
    settings_version: Count = 0
    settings_error: str = ""


class Plugin(BaseModel):
    """One plugin. `enabled`: whether it is wanted. `package`, `previous`: what every worker runs, and ran before.

    `name`, `description`: as its newest version says. `has_settings`: there is a form at `/api/plugins/{id}/settings`.
    """

    id: str
    name: str = ""
    description: str = ""
    enabled: bool
    package: Chosen | None = None
    previous: Chosen | None = None
    has_settings: bool = False
    workers: list[OfWorker]


class Plugins(Page):
    """A page of plugins. `safe_mode`: those that BotMatrix brings along, and no others, are to run."""

    plugins: list[Plugin]
    safe_mode: bool = False


class SafeMode(BaseModel):
    """Whether it is wanted."""

    model_config = ConfigDict(extra="forbid")

    on: StrictBool


class SafeModeSaved(SafeMode):
    """As it is now. `published`: Redis has it, so every worker acts by it within a second or two."""

    success: Literal[True] = True
    published: bool


class Wanted(BaseModel):
    """What is wanted now; `version`: of its package, if it has one.

    `published`: Redis has it, so every worker acts by it within a second or two.
    """

    success: Literal[True] = True
    id: str
    enabled: bool
    version: str = ""
    published: bool


class Change(BaseModel):
    """One cell: a plugin, and a bot, a group, a person, or all of what is named. `on` null: the cell is dropped."""

    model_config = ConfigDict(extra="forbid")

    plugin: PluginId
    bot: Place = ""
    group: Place = ""
    user: Place = ""
    on: StrictBool | None


class Changes(BaseModel):
    """Cells that are set or dropped together."""

    model_config = ConfigDict(extra="forbid")

    cells: Annotated[list[Change], Field(min_length=1, max_length=1000)]


class Cells(Page):
    """A page of the matrix."""

    cells: list[Cell]


class Saved(BaseModel):
    """How many cells there are now. `published`: Redis has them."""

    success: Literal[True] = True
    total: int
    published: bool


async def _known(plugin: Annotated[str, InPath(pattern=ID_PATTERN)], parts: UsedParts) -> str:
    wishes = (await parts.plugins.current()).config
    if plugin not in {row["id"] for row in await plugins_of_all(parts.presence, wishes)}:
        raise ApiError(404, "unknown_plugin", "no worker has told of a plugin with this id")
    return plugin


Known = Annotated[str, Depends(_known)]
_listing = listing("id")
_cells = listing("plugin", "bot", "group", "user")


@router.get("", responses=protected(), dependencies=[VIEWER])
async def list_plugins(parts: UsedParts, wanted: Annotated[Listing, Depends(_listing)]) -> Plugins:
    """Every plugin, with its version and state in each worker."""
    wishes = (await parts.plugins.current()).config
    rows = [Plugin.model_validate(row) for row in await plugins_of_all(parts.presence, wishes)]
    return Plugins(**wanted.cut(rows, "plugins"), safe_mode=wishes.safe_mode)


@router.put("/safe-mode", responses=protected(), dependencies=[ADMIN])
async def switch_safe_mode(wanted: SafeMode, parts: UsedParts, asker: Asker, note: Noting) -> SafeModeSaved:
    """Have every worker run the plugins that BotMatrix brings along and no others, or all of them again."""
    note.say("plugin.safe_mode", "", after={"on": wanted.on})
    saved = await parts.plugins.change(partial(in_safe_mode, on=wanted.on), asker.user.username)
    return SafeModeSaved(on=saved.config.safe_mode, published=saved.published)


@router.post("/{plugin}/reload", responses=protected(404), dependencies=[ADMIN])
async def reload(plugin: Known, parts: UsedParts, asker: Asker, note: Noting) -> Wanted:
    """Have every worker load it anew: new first, then the switch; one that fails leaves the old one serving."""
    note.say("plugin.reload", plugin)
    return view(plugin, await parts.plugins.change(lambda wishes: reloaded(wishes, plugin), asker.user.username))


@router.post("/{plugin}/enable", responses=protected(404), dependencies=[ADMIN])
async def enable(plugin: Known, parts: UsedParts, asker: Asker, note: Noting) -> Wanted:
    """Have every worker that has it load it."""
    note.say("plugin.enable", plugin)
    switch = partial(switched, plugin=plugin, on=True)
    return view(plugin, await parts.plugins.change(switch, asker.user.username))


@router.post("/{plugin}/disable", responses=protected(404), dependencies=[ADMIN])
async def disable(plugin: Known, parts: UsedParts, asker: Asker, note: Noting) -> Wanted:
    """Have every worker unload it; what it is at work on is finished."""
    note.say("plugin.disable", plugin)
    switch = partial(switched, plugin=plugin, on=False)
    return view(plugin, await parts.plugins.change(switch, asker.user.username))


@router.get("/matrix", responses=protected(), dependencies=[VIEWER])
async def read_matrix(parts: UsedParts, wanted: Annotated[Listing, Depends(_cells)]) -> Cells:
    """Where plugins are off, and where on nevertheless. Where nothing is said they are on."""
    return Cells(**wanted.cut((await parts.plugins.current()).config.matrix, "cells"))


@router.put("/matrix", responses=protected(), dependencies=[ADMIN])
async def change_matrix(changes: Changes, parts: UsedParts, asker: Asker, note: Noting) -> Saved:
    """Set or drop cells. Of those that fit one event, person counts more than group, group more than bot."""
    put = [_cell(one) for one in changes.cells if one.on is not None]
    dropped = [_cell(one) for one in changes.cells if one.on is None]
    saved = await parts.plugins.change(lambda wishes: with_cells(wishes, put, dropped), asker.user.username)
    note.say("plugin.matrix", "", after=changes.model_dump(mode="json"))
    return Saved(total=len(saved.config.matrix), published=saved.published)


def view(plugin: str, saved: Current[PluginWishes]) -> Wanted:
    """What is wanted of a plugin now."""
    wish = saved.config.wish(plugin)
    version = wish.package.version if wish.package else ""
    return Wanted(id=plugin, enabled=wish.enabled, version=version, published=saved.published)


def _cell(change: Change) -> Cell:
    return Cell(**change.model_dump(exclude={"on"}), on=bool(change.on))

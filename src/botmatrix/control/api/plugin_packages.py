"""Packages of plugins: taken in, activated, rolled back, removed; and what their plugins may do."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi import Path as InPath
from pydantic import BaseModel, ConfigDict, Field
from starlette.convertors import Convertor, register_url_convertor

from botmatrix.control.api.plugins import Known, Plugin, Wanted, view
from botmatrix.control.audit import Noting
from botmatrix.control.auth import ADMIN, VIEWER, Asker
from botmatrix.control.errors import ApiError, protected
from botmatrix.control.fetch import LONGEST_URL, fetch
from botmatrix.control.paging import Listing, Page, listing
from botmatrix.control.parts import Parts, UsedParts
from botmatrix.control.plugin_view import plugins_of_all
from botmatrix.core.grants import allowed, grants_of
from botmatrix.core.plugins import (
    ID_PATTERN,
    MOST_GRANTS,
    VERSION_PATTERN,
    Chosen,
    Grant,
    Sha256,
    Version,
    Wish,
    granted,
    rolled_back,
)
from botmatrix.packaging.package import RESERVED
from botmatrix.store.tables import PluginPackage

router = APIRouter(prefix="/api/plugins", tags=["plugins"])
_IN_MEMORY: Final = 1 << 20
_FILE: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class _PluginId(Convertor[str]):
    """Any id but the names that are addresses of their own."""

    regex = f"(?!(?:{'|'.join(sorted(RESERVED))})$)[^/]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("plugin_id", _PluginId())


class Package(BaseModel):
    """One version that is kept. `state`: `active` (every worker runs it), `previous` (a rollback goes to it), or empty.

    `sha256` and `size` (bytes) are of its file. `permissions`: what it asks for. `isolated`: it has its own process.
    """

    id: str
    version: str
    sha256: str
    size: int
    name: str
    description: str
    permissions: list[str]
    isolated: bool
    state: Literal["active", "previous", ""]
    added_at: datetime
    added_by: str


class Packages(Page):
    """A page of packages."""

    packages: list[Package]


class Permissions(BaseModel):
    """`wanted`: what it asks for; `grants`: what was said to that (null: nothing); `granted`: what it may do."""

    wanted: list[str]
    grants: list[str] | None
    granted: list[str]


class Detail(Plugin):
    """One plugin, with all versions of it that are kept, newest first."""

    success: Literal[True] = True
    permissions: Permissions
    versions: list[Package]


class Added(BaseModel):
    """A package that is kept now. `published`: Redis has it that every worker is to run it; null when it is not to."""

    success: Literal[True] = True
    package: Package
    published: bool | None


class Removed(BaseModel):
    """It is kept no longer."""

    success: Literal[True] = True
    id: str
    version: str = ""


class Source(BaseModel):
    """Where a package is. `sha256`: what it must be. `activate`: every worker is to run it."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, Field(min_length=1, max_length=LONGEST_URL)]
    sha256: Sha256 | Literal[""] = ""
    activate: bool = True


class Choice(BaseModel):
    """A version that is kept; empty: the newest."""

    model_config = ConfigDict(extra="forbid")

    version: Version | Literal[""] = ""


class Grants(BaseModel):
    """What a plugin may do, by the names of the actions; null: nothing is said of that any more."""

    model_config = ConfigDict(extra="forbid")

    grants: Annotated[list[Grant], Field(max_length=MOST_GRANTS)] | None


Id = Annotated[str, InPath(pattern=ID_PATTERN)]
_packages = listing("id", "version", "added_at", "size")


@router.get("/packages", responses=protected(), dependencies=[VIEWER])
async def list_packages(parts: UsedParts, wanted: Annotated[Listing, Depends(_packages)]) -> Packages:
    """Every version of every package that is kept."""
    return Packages(**wanted.cut(await _kept(parts), "packages"))


@router.post(
    "/packages",
    status_code=201,
    responses={**protected(409), 200: {"model": Added, "description": "It was kept already"}},
    dependencies=[ADMIN],
    openapi_extra=_FILE,
)
async def upload(
    request: Request,
    response: Response,
    parts: UsedParts,
    asker: Asker,
    note: Noting,
    filename: Annotated[str, Query(max_length=200)] = "",
    sha256: Annotated[str, Query(pattern="^([0-9a-f]{64})?$")] = "",
    activate: bool = True,
) -> Added:
    """Take a package in: the body is the `.bmpk` file. What it is called and what it must be may be told too."""
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
        async for chunk in request.stream():
            file.write(chunk)
        found = await parts.shelf.add(file, asker.user.username, name=filename, sha256=sha256)
    manifest = found.package.manifest
    note.say("plugin.package", manifest.id, after={"version": manifest.version, "sha256": found.package.sha256})
    response.status_code = 201 if found.fresh else 200
    return await _added(parts, manifest.id, manifest.version, activate, asker.user.username)


@router.post(
    "/packages/fetch",
    status_code=201,
    responses={**protected(409), 200: {"model": Added, "description": "It was kept already"}},
    dependencies=[ADMIN],
)
async def fetch_package(source: Source, response: Response, parts: UsedParts, asker: Asker, note: Noting) -> Added:
    """Take a package in that lies at a URL (https; http on this machine)."""
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
        name = await fetch(source.url, file)
        found = await parts.shelf.add(file, asker.user.username, name=name, sha256=source.sha256)
    manifest = found.package.manifest
    about = {"version": manifest.version, "sha256": found.package.sha256, "from": source.url.partition("?")[0]}
    note.say("plugin.package", manifest.id, after=about)
    response.status_code = 201 if found.fresh else 200
    return await _added(parts, manifest.id, manifest.version, source.activate, asker.user.username)


@router.get("/{plugin:plugin_id}", responses=protected(404), dependencies=[VIEWER])
async def read(plugin: Id, parts: UsedParts) -> Detail:
    """One plugin: what every worker has of it, what it may do, and which versions of it are kept."""
    wishes = (await parts.plugins.current()).config
    rows = [row for row in await plugins_of_all(parts.presence, wishes) if row["id"] == plugin]
    versions = await _kept(parts, plugin)
    if not rows and not versions:
        raise ApiError(404, "unknown_plugin", "no worker has told of a plugin with this id, and there is no package")
    row = rows[0] if rows else {"id": plugin, "enabled": True, "workers": []}
    wish = wishes.wish(plugin)
    return Detail(
        **row,
        permissions=_permissions(plugin, wish, _asked(row, versions), parts.settings.plugin_grants),
        versions=versions,
    )


@router.post("/{plugin}/activate", responses=protected(404, 409), dependencies=[ADMIN])
async def activate(plugin: Id, choice: Choice, parts: UsedParts, asker: Asker, note: Noting) -> Wanted:
    """Have every worker run a version that is kept: new first, then the switch; one that fails changes nothing."""
    before = (await parts.plugins.current()).config.wish(plugin)
    saved = await parts.shelf.activate(plugin, choice.version, asker.user.username)
    note.say("plugin.activate", plugin, before=_said(before), after=_said(saved.config.wish(plugin)))
    return view(plugin, saved)


@router.post("/{plugin}/rollback", responses=protected(404, 409), dependencies=[ADMIN])
async def rollback(plugin: Id, parts: UsedParts, asker: Asker, note: Noting) -> Wanted:
    """Have every worker run the version that it ran before the present one."""
    before = (await parts.plugins.current()).config.wish(plugin)
    saved = await parts.plugins.change(lambda wishes: rolled_back(wishes, plugin), asker.user.username)
    note.say("plugin.rollback", plugin, before=_said(before), after=_said(saved.config.wish(plugin)))
    return view(plugin, saved)


@router.put("/{plugin}/grants", responses=protected(404, 409), dependencies=[ADMIN])
async def grant(plugin: Known, grants: Grants, parts: UsedParts, asker: Asker, note: Noting) -> Wanted:
    """Say what a plugin may do; it counts at once."""
    before = (await parts.plugins.current()).config.wish(plugin).grants
    saved = await parts.plugins.change(lambda wishes: granted(wishes, plugin, grants.grants), asker.user.username)
    note.say("plugin.grant", plugin, before={"grants": before}, after={"grants": grants.grants})
    return view(plugin, saved)


@router.delete("/{plugin:plugin_id}", responses=protected(404, 409), dependencies=[ADMIN])
async def remove(plugin: Id, parts: UsedParts, asker: Asker, note: Noting) -> Removed:
    """No worker runs its packages any more, and none of them is kept. What it stored stays."""
    await parts.shelf.remove(plugin, asker.user.username)
    note.say("plugin.remove", plugin)
    return Removed(id=plugin)


@router.delete("/{plugin}/versions/{version}", responses=protected(404, 409), dependencies=[ADMIN])
async def remove_version(
    plugin: Id, version: Annotated[str, InPath(pattern=VERSION_PATTERN)], parts: UsedParts, asker: Asker, note: Noting
) -> Removed:
    """Keep a version no longer; not the one that every worker runs."""
    await parts.shelf.remove_version(plugin, version, asker.user.username)
    note.say("plugin.remove", plugin, before={"version": version})
    return Removed(id=plugin, version=version)


async def _added(parts: Parts, plugin: str, version: str, activate: bool, by: str) -> Added:
    published = (await parts.shelf.activate(plugin, version, by)).published if activate else None
    (package,) = [one for one in await _kept(parts, plugin) if one.version == version]
    return Added(package=package, published=published)


async def _kept(parts: Parts, plugin: str = "") -> list[Package]:
    wishes = (await parts.plugins.current()).config
    return [_package(row, wishes.wish(row.plugin)) for row in await parts.shelf.packages.list(plugin)]


def _package(row: PluginPackage, wish: Wish) -> Package:
    about = {
        **row.manifest,
        **{"id": row.plugin, "version": row.version, "sha256": row.sha256, "size": row.size},
        **{"state": _state(row.sha256, wish), "added_at": row.added_at, "added_by": row.added_by},
    }
    return Package.model_validate(about)


def _state(sha256: str, wish: Wish) -> Literal["active", "previous", ""]:
    if wish.package is not None and wish.package.sha256 == sha256:
        return "active"
    return "previous" if wish.previous is not None and wish.previous.sha256 == sha256 else ""


def _asked(row: dict[str, Any], versions: Iterable[Package]) -> list[str]:
    """What the plugin asks for, as the package in use says, else as the workers told."""
    for one in versions:
        if one.state == "active":
            return one.permissions
    told = (worker.get("permissions") for worker in row["workers"])
    return sorted({str(name) for names in told if isinstance(names, list) for name in names})


def _permissions(plugin: str, wish: Wish, wanted: list[str], setting: Iterable[str]) -> Permissions:
    grants = grants_of(plugin, wish, setting, packaged=wish.package is not None)
    said = None if wish.grants is None else list(wish.grants)
    return Permissions(wanted=wanted, grants=said, granted=allowed(wanted, grants))


def _said(wish: Wish) -> dict[str, Any]:
    def version(package: Chosen | None) -> str:
        return package.version if package else ""

    return {"version": version(wish.package), "previous": version(wish.previous)}

"""The settings of plugins: their forms by JSON Schema, their values, and which worker goes by which."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from fastapi import Path as InPath
from pydantic import BaseModel, ConfigDict, Field

from botmatrix.control.audit import Noting
from botmatrix.control.auth import ADMIN, Asker
from botmatrix.control.errors import ApiError, protected
from botmatrix.control.fields import Count
from botmatrix.control.parts import UsedParts
from botmatrix.control.plugin_view import Form, form_of
from botmatrix.core.plugin_schema import masked, problems, unmasked
from botmatrix.core.plugin_settings import Configured, PluginSettings, SettingsChanged, with_values
from botmatrix.core.plugins import ID_PATTERN

router = APIRouter(prefix="/api/plugins", tags=["plugins"])


class InForce(BaseModel):
    """What one worker goes by: the version, and why it does not go by a newer one."""

    worker: str
    version: Count = 0
    error: str = ""


class View(BaseModel):
    """The settings of one plugin. What `values` does not name has its default, which stands in `schema`.

    A secret (`writeOnly` in the schema) that is set is shown as `********`. `published`: every worker goes by this
    version within a second.
    """

    model_config = ConfigDict(populate_by_name=True)

    success: Literal[True] = True
    id: str
    version: int
    schema_: Annotated[dict[str, Any], Field(alias="schema")]
    values: dict[str, Any]
    published: bool
    workers: list[InForce]


class Change(BaseModel):
    """All values that shall differ from their defaults; `********` keeps a secret. `version`: of what was read."""

    model_config = ConfigDict(extra="forbid")

    values: dict[str, Any]
    version: Annotated[int | None, Field(ge=0, le=2**53)] = None


async def _form(plugin: Annotated[str, InPath(pattern=ID_PATTERN)], parts: UsedParts) -> Form:
    form = await form_of(parts.presence, plugin)
    if form is None:
        raise ApiError(404, "no_settings", "no worker has told of a plugin with this id that has settings")
    return form


Told = Annotated[Form, Depends(_form)]


@router.get("/{plugin}/settings", responses=protected(404), dependencies=[ADMIN])
async def read_settings(form: Told, parts: UsedParts) -> View:
    """The form of a plugin's settings, and what is filled in."""
    current = await parts.plugin_settings.current()
    return _view(form, current.config.of(form.plugin), current.published)


@router.put("/{plugin}/settings", responses=protected(404, 409), dependencies=[ADMIN])
async def write_settings(change: Change, form: Told, parts: UsedParts, asker: Asker, note: Noting) -> View:
    """Put values in the place of all that were there; nothing is kept of what does not fit the schema."""
    note.say("plugin.settings", form.plugin)

    def edit(settings: PluginSettings) -> PluginSettings:
        values = unmasked(change.values, settings.of(form.plugin).values, form.schema)
        if found := problems(values, form.schema):
            raise ApiError(422, "invalid", "; ".join(found))
        return with_values(settings, form.plugin, values, change.version)

    try:
        saved = await parts.plugin_settings.change(edit, asker.user.username)
    except SettingsChanged as error:
        raise ApiError(409, "changed_meanwhile", str(error)) from None
    view = _view(form, saved.config.of(form.plugin), saved.published)
    note.say("plugin.settings", form.plugin, after=view.values)
    return view


def _view(form: Form, configured: Configured, published: bool) -> View:
    return View(
        id=form.plugin,
        version=configured.version,
        schema_=form.schema,
        values=masked(configured.values, form.schema),
        published=published,
        workers=[InForce.model_validate(row) for row in form.workers],
    )

"""The plugins of all workers side by side with what is wanted of them."""

from __future__ import annotations

import asyncio
from typing import Any, Final, NamedTuple

from botmatrix.bus.presence import Presence
from botmatrix.core.plugins import PluginWishes, Wish

LONGEST_NAME: Final = 100
LONGEST_DESCRIPTION: Final = 1000
"""Characters; a plugin may say more, and nobody would read it."""


async def plugins_of_all(presence: Presence, wishes: PluginWishes) -> list[dict[str, Any]]:
    """Each plugin that a worker told of or something is wanted of.

    `id`, `name` and `description` as its newest version says, `enabled`, `package`, `previous`, `workers`: of each
    `worker`, and what it told of the plugin. Raises `EngineUnavailable`.
    """
    ids = [worker["id"] for worker in await presence.workers()]
    told = await asyncio.gather(*(presence.plugins(id) for id in ids))
    rows: dict[str, list[dict[str, Any]]] = {plugin: [] for plugin in wishes.plugins}
    for worker, plugins in zip(ids, told, strict=True):
        for plugin in plugins:
            rows.setdefault(str(plugin.get("id", "")), []).append({"worker": worker, **plugin})
    return [
        {
            "id": plugin,
            **_called(rows[plugin]),
            **_wanted(wishes.wish(plugin)),
            "has_settings": any(isinstance(one.get("settings_schema"), dict) for one in rows[plugin]),
            "workers": rows[plugin],
        }
        for plugin in sorted(rows)
    ]


class Form(NamedTuple):
    """The settings of one plugin as its workers tell of them. `workers`: `worker`, `version` and `error` of each."""

    plugin: str
    schema: dict[str, Any]
    workers: list[dict[str, Any]]


async def form_of(presence: Presence, plugin: str) -> Form | None:
    """The newest form that a worker told of; None when there is none. Raises `EngineUnavailable`."""
    rows = await plugins_of_all(presence, PluginWishes())
    told: list[dict[str, Any]] = next((row["workers"] for row in rows if row["id"] == plugin), [])
    having = [one for one in told if isinstance(one.get("settings_schema"), dict)]
    if not having:
        return None
    newest = max(having, key=lambda one: _number(one.get("since")))
    workers = [
        {
            "worker": one["worker"],
            "version": one.get("settings_version", 0),
            "error": str(one.get("settings_error", "")),
        }
        for one in having
    ]
    return Form(plugin, newest["settings_schema"], workers)


def _called(told: list[dict[str, Any]]) -> dict[str, str]:
    newest = max(told, key=lambda one: _number(one.get("since")), default={})
    return {
        "name": str(newest.get("name", ""))[:LONGEST_NAME],
        "description": str(newest.get("description", ""))[:LONGEST_DESCRIPTION],
    }


def _number(value: Any) -> float:
    return value if isinstance(value, int | float) else 0.0


def _wanted(wish: Wish) -> dict[str, Any]:
    return {"enabled": wish.enabled, "package": wish.package, "previous": wish.previous}

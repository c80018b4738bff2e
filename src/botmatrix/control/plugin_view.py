"""The plugins of all workers side by side with what is wanted of them."""

from __future__ import annotations

import asyncio
from typing import Any

from botmatrix.bus.presence import Presence
from botmatrix.core.plugins import PluginWishes, Wish


async def plugins_of_all(presence: Presence, wishes: PluginWishes) -> list[dict[str, Any]]:
    """Each plugin that a worker told of or something is wanted of: `id`, `enabled`, `package`, `previous`, `workers`.

    Of each worker: `worker`, and what it told of the plugin. Raises `EngineUnavailable`.
    """
    ids = [worker["id"] for worker in await presence.workers()]
    told = await asyncio.gather(*(presence.plugins(id) for id in ids))
    rows: dict[str, list[dict[str, Any]]] = {plugin: [] for plugin in wishes.plugins}
    for worker, plugins in zip(ids, told, strict=True):
        for plugin in plugins:
            rows.setdefault(str(plugin.get("id", "")), []).append({"worker": worker, **plugin})
    return [{"id": plugin, **_wanted(wishes.wish(plugin)), "workers": rows[plugin]} for plugin in sorted(rows)]


def _wanted(wish: Wish) -> dict[str, Any]:
    return {"enabled": wish.enabled, "package": wish.package, "previous": wish.previous}

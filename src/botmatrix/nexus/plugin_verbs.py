"""`/plugin list|on|off`: chat administrators say which plugins answer where. The hub does it, so it can't be off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog

from botmatrix.bus.plugins import PluginsBox
from botmatrix.bus.presence import Presence
from botmatrix.core.plugins import Cell, Matrix, PluginWishes, parse, switched, with_cells
from botmatrix.nexus.bot import Bot
from botmatrix.onebot.event import Event

log = structlog.get_logger("core")
PREFIX: Final = "/plugin"
MOST: Final = 100
HELP: Final = """\
/plugin list  插件列表 the plugins
/plugin on|off NAME  在本群开启、关闭（私聊：在所有地方）
  switch one on or off in this group (in private: everywhere)"""

Change = Callable[[PluginWishes], PluginWishes]


class PluginVerbs:
    """Reads and changes what is wanted of plugins; `presence` tells which there are."""

    def __init__(self, box: PluginsBox, presence: Presence) -> None:
        self._box, self._presence = box, presence

    async def answer(self, bot: Bot, event: Event, text: str) -> str:
        """Do it; what to say. Raises `EngineUnavailable`, `ReplyError`, `BadPlugins`."""
        match text.split()[1:]:
            case ["list"]:
                return await self._list(bot, event)
            case ["on" | "off" as word, name]:
                return await self._switch(bot, event, name, on=word == "on")
        return HELP

    async def _list(self, bot: Bot, event: Event) -> str:
        kept = await self._box.read()
        wishes = parse(kept.document) if kept else PluginWishes()
        barred = Matrix(wishes.matrix).barred(bot.key, _group(bot, event), "")
        lines = []
        for plugin in sorted(await self._known())[:MOST]:
            state = "✓" if plugin not in barred else "✗ 本群关闭 off here"
            lines.append(f"{plugin} {state if wishes.wish(plugin).enabled else '✗ 关闭 off'}")
        return "\n".join(lines) or "没有插件。 There are no plugins."

    async def _switch(self, bot: Bot, event: Event, name: str, *, on: bool) -> str:
        known = await self._known()
        if name not in known:
            names = ", ".join(sorted(known)[:MOST])
            return f"没有这个插件。 There is no plugin of this name; there are: {names}"
        group = _group(bot, event)
        altered = await self._box.replace(_change(name, group, on=on))
        by = f"{bot.platform}:{event.user_id}"
        log.info("a chat administrator switched a plugin", by=by, plugin=name, group=group, on=on, altered=altered)
        what = "已开启 is on" if on else "已关闭 is off"
        return f"{name} {what}{', 本群 in this group' if group else ', 所有地方 everywhere'}."

    async def _known(self) -> set[str]:
        found: set[str] = set()
        for worker in await self._presence.workers():
            found |= {str(plugin.get("id", "")) for plugin in await self._presence.plugins(worker["id"])}
        return found - {""}


def _change(plugin: str, group: str, *, on: bool) -> Change:
    if not group:
        return lambda wishes: switched(wishes, plugin, on=on)
    cell = Cell(plugin=plugin, group=group, on=on)
    return lambda wishes: with_cells(wishes, [cell])


def _group(bot: Bot, event: Event) -> str:
    """`platform:group`, empty in private."""
    return f"{bot.platform}:{event.group_id}" if event.group_id and event.detail_type != "private" else ""

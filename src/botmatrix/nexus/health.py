"""Whether a bot is well: its links, its heartbeats, and what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botmatrix.nexus.bot import Bot, BotState
from botmatrix.onebot.event import Event
from botmatrix.onebot.v11 import read_meta

if TYPE_CHECKING:
    from botmatrix.nexus.hub import Hub


class Health:
    """Keeps `Bot.state` true and tells the observer of each change."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def on_meta(self, bot: Bot, event: Event) -> None:
        """A lifecycle event or a heartbeat came."""
        self._hub.observer.on_meta(bot, event)
        meta = read_meta(event.raw)
        if meta.kind == "heartbeat":
            bot.heartbeat_every = meta.interval
            bot.heartbeat_at = self._hub.clock.monotonic()
            bot.healthy = meta.healthy
            self.refresh(bot)

    def visit(self, bot: Bot, now: float) -> None:
        """See whether heartbeats stopped; what is not read because of us is not missed."""
        if not bot.heartbeat_every:
            return
        if bot.event_link is not None and bot.event_link.connection.is_held:
            bot.heartbeat_at = now
        elif now - bot.heartbeat_at > 2 * bot.heartbeat_every + self._hub.timing.heartbeat_slack:
            bot.healthy = False
            self.refresh(bot)

    def refresh(self, bot: Bot) -> None:
        """Set the state that follows from what is known; tell the observer if it changed."""
        state = _state(bot)
        if state is not bot.state:
            bot.state = state
            bot.since = self._hub.clock.now()
            self._hub.observer.on_change(bot)


def _state(bot: Bot) -> BotState:
    if bot.event_link is None and bot.api_link is None:
        return BotState.OFFLINE
    if bot.event_link is None or bot.api_link is None:
        return BotState.CONNECTING
    return BotState.ONLINE if bot.healthy else BotState.DEGRADED

"""Which link speaks for a bot: the newest, but only once an older one is known to be dead."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from botmatrix.nexus import closing
from botmatrix.nexus.bot import Bot
from botmatrix.nexus.connection import HOLD_PROBE, Connection, ConnectionState

if TYPE_CHECKING:
    from botmatrix.nexus.hub import Hub
    from botmatrix.nexus.links import Link

log = logging.getLogger(__name__)

LOOKS: Final = 20
"""A probe looks so many times for a sign of life before its time is over."""


class Admission:
    """Lets links in. A bot never has two senders: a newcomer waits, unread, for the probe."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._probes: dict[str, Probe] = {}

    def is_flapping(self, key: str) -> bool:
        """Whether this bot opened too many links in a short time."""
        bot, timing = self._hub.bots.get(key), self._hub.timing
        return (
            bot is not None
            and len(bot.opened) >= timing.flapping_links
            and self._hub.clock.monotonic() - bot.opened[0] < timing.flapping
        )

    def admit(self, link: Link) -> None:
        """A named link wants to speak for its bot: attach it, refuse it, or probe who is in the way."""
        bot = self._hub.bot(link.platform, link.session.self_id)
        bot.opened = (*bot.opened, self._hub.clock.monotonic())[-self._hub.timing.flapping_links :]
        rivals = [other for other in bot.links if _overlap(link, other)]
        if not rivals:
            self._hub.attach(link, bot)
            return
        if any(rival.connection.is_held for rival in rivals):
            link.connection.close(closing.TRY_LATER, "the hub is catching up and can't probe the older link")
            return
        former = self._probes.pop(bot.key, None)
        if former is not None:
            former.give_up()
        self._probes[bot.key] = Probe(self, self._hub, bot, link, rivals)

    def decided(self, bot: Bot) -> None:
        """The probe of this bot is over."""
        self._probes.pop(bot.key, None)


class Probe:
    """Asks a bot's older links for a sign of life while the newcomer is held."""

    def __init__(self, admission: Admission, hub: Hub, bot: Bot, newcomer: Link, rivals: list[Link]) -> None:
        self._admission, self._hub, self._bot = admission, hub, bot
        self._newcomer = newcomer
        self._rivals = [(rival, rival.connection.frames) for rival in rivals]
        self._looks = LOOKS
        newcomer.connection.hold(HOLD_PROBE)
        for rival in rivals:
            rival.connection.ping()
        self._timer = self._schedule()

    def give_up(self) -> None:
        """A still newer link came: it is the one to wait for."""
        self._timer.cancel()
        self._newcomer.connection.close(closing.SUPERSEDED, "a newer link of this bot came")

    def _schedule(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(self._hub.timing.probe / LOOKS, self._look)

    def _look(self) -> None:
        self._looks -= 1
        alive = [rival for rival, frames in self._rivals if _is_alive(rival.connection, frames)]
        there = [rival for rival, _ in self._rivals if rival.connection.state is ConnectionState.OPEN]
        if self._newcomer.connection.state is not ConnectionState.OPEN:
            self._admission.decided(self._bot)
        elif alive:
            self._refuse(alive[0])
        elif there and self._looks > 0:
            self._timer = self._schedule()
        else:
            self._replace(there)

    def _refuse(self, rival: Link) -> None:
        self._admission.decided(self._bot)
        self._hub.count("link_duplicate")
        reason = f"a link of this bot from {rival.remote} is alive"
        self._newcomer.connection.close(closing.DUPLICATE, reason)
        self._hub.refuse_late(self._newcomer, closing.DUPLICATE, reason, "stop one of the two clients of this account")

    def _replace(self, dead: list[Link]) -> None:
        self._admission.decided(self._bot)
        for rival in dead:
            self._hub.count("link_replaced")
            log.warning(
                "bot %s: the link from %s gave no sign of life, the one from %s takes its place",
                self._bot.key,
                rival.remote,
                self._newcomer.remote,
            )
            rival.connection.close(closing.SUPERSEDED, "a newer link of this bot took its place")
            rival.connection.abort()
        self._hub.attach(self._newcomer, self._bot)
        self._newcomer.connection.release(HOLD_PROBE)


def _overlap(one: Link, other: Link) -> bool:
    """Whether both would carry the bot's events, or both its actions."""
    mine, its = one.accept.role, other.accept.role
    return (mine.hears and its.hears) or (mine.speaks and its.speaks)


def _is_alive(connection: Connection, frames: int) -> bool:
    return connection.state is ConnectionState.OPEN and connection.frames != frames

"""Every bot whose link ends here: who is there, who speaks for it, and whom to tell."""

from __future__ import annotations

import logging
import secrets
from collections import Counter
from itertools import count
from typing import Final, Protocol

from botmatrix.clock import Clock
from botmatrix.nexus.admission import Admission
from botmatrix.nexus.bot import Bot, BotState
from botmatrix.nexus.connection import HOLD_PRESSURE
from botmatrix.nexus.greeting import Greeter
from botmatrix.nexus.health import Health
from botmatrix.nexus.links import Link
from botmatrix.nexus.refusals import Refusal, Refusals
from botmatrix.nexus.sweeper import Sweeper
from botmatrix.nexus.timing import Timing
from botmatrix.onebot.event import Event

__all__ = ["Bot", "BotState", "Hub", "HubObserver", "Link", "Refusal"]

MAX_BOTS: Final = 50_000
"""Of so many, those who are offline are forgotten when others come."""

log = logging.getLogger(__name__)


class HubObserver(Protocol):
    """Whoever wants to know. All calls come on the event loop and must be quick."""

    def on_event(self, bot: Bot, event: Event) -> None:
        """An event of any post type but meta_event; in the order in which the bot sent them."""
        ...

    def on_meta(self, bot: Bot, event: Event) -> None:
        """A meta event: a heartbeat or a lifecycle event."""
        ...

    def on_online(self, bot: Bot, link_id: str) -> None:
        """A link was authorised and named, and speaks for the bot now; also when it replaced an older one."""
        ...

    def on_offline(self, bot: Bot) -> None:
        """The bot's last link ended."""
        ...

    def on_change(self, bot: Bot) -> None:
        """Its state, nickname or groups changed while it is here."""
        ...


class Hub:
    """The bots of this nexus. `counters` counts every drop by its reason."""

    def __init__(self, observer: HubObserver, clock: Clock, timing: Timing | None = None) -> None:
        self.observer = observer
        self.clock = clock
        self.timing = timing or Timing()
        self.bots: dict[str, Bot] = {}
        self.namesakes: dict[str, set[str]] = {}  # self_id -> keys: two platforms may have the same id
        self.counters: dict[str, int] = Counter()
        self.refusals = Refusals()
        self.health = Health(self)
        self.admission = Admission(self)
        self.greeter = Greeter(self)
        self.sweeper = Sweeper(clock, self.timing.sweep, self.greeter.tick)
        self._links: set[Link] = set()
        self._numbers = count(1)
        self._paused: set[str] = set()

    def start(self) -> None:
        """Begin to look after the links, on the running loop."""
        self.sweeper.start()

    def stop(self) -> None:
        """Look after nothing any more."""
        self.sweeper.stop()

    # For whoever composes the nexus

    def pause_reading(self, reason: str) -> None:
        """Read no more events, so that TCP slows every bot down; what was read already still comes."""
        self._paused.add(reason)
        for link in self._links:
            self._press(link)

    def resume_reading(self, reason: str) -> None:
        """This reason is gone; reading goes on when no other is left."""
        self._paused.discard(reason)
        if not self._paused:
            for link in self._links:
                link.connection.release(HOLD_PRESSURE)

    def drop(self, bot_key: str, code: int, reason: str) -> None:
        """Close every link of a bot, with a code of `closing.py`."""
        bot = self.bots.get(bot_key)
        for link in bot.links if bot is not None else ():
            link.connection.close(code, reason)

    def refused(self) -> list[Refusal]:
        """The handshakes that were refused in the last hour, the newest first."""
        return self.refusals.recent(self.clock.now())

    def refuse_late(self, link: Link, code: int, reason: str, cure: str) -> None:
        """A link was closed because of what was known only after the upgrade: shown beside the refused handshakes."""
        refusal = Refusal(
            at=self.clock.now(),
            remote=link.remote,
            target="(after the upgrade)",
            self_id=link.session.self_id,
            user_agent=link.accept.user_agent,
            status=code,
            reason=reason,
            cure=cure,
        )
        if self.refusals.add(refusal):
            log.warning("sent away %s (%d): %s", link.remote, code, reason)

    def count(self, what: str) -> None:
        """One more of these."""
        self.counters[what] = self.counters.get(what, 0) + 1

    # For the links

    def next_link_id(self) -> tuple[str, str]:
        """A link's id, and a random prefix for its echoes."""
        return str(next(self._numbers)), secrets.token_hex(3) + "."

    def bot(self, platform: str, self_id: str) -> Bot:
        """The bot of this name; a new one is offline."""
        key = f"{platform}:{self_id}"
        bot = self.bots.get(key)
        if bot is None:
            if len(self.bots) >= MAX_BOTS:
                self._forget_one()
            bot = self.bots[key] = Bot(platform, self_id, self.clock.now())
            self.namesakes.setdefault(self_id, set()).add(key)
        return bot

    def opened(self, link: Link) -> None:
        """A link came: attach it, or wait until it is named."""
        self._links.add(link)
        link.place = self.sweeper.add(link)
        if self._paused:
            self._press(link)
        if link.key:
            self.admission.admit(link)
        self.greeter.add(link, self.clock.monotonic())

    def attach(self, link: Link, bot: Bot) -> None:
        """The link speaks for the bot from now on."""
        was_here = bool(bot.links)
        if link.accept.role.hears:
            bot.event_link = link
        if link.accept.role.speaks:
            bot.api_link = link
        bot.remote, bot.user_agent = link.remote, link.accept.user_agent
        if was_here:
            self.health.refresh(bot)
        else:
            bot.healthy, bot.heartbeat_every = True, 0.0
            bot.state = BotState.ONLINE if bot.event_link is bot.api_link else BotState.CONNECTING
            bot.since = self.clock.now()
            self.observer.on_online(bot, link.id)
        log.debug("bot %s is here, from %s", bot.key, link.remote)
        link.attached(bot)

    def ended(self, link: Link) -> None:
        """A link ended, for whatever reason; compares links, never keys."""
        self._links.discard(link)
        unanswered = link.calls.end()
        bot = link.bot
        if bot is None:
            return
        bot.failed += unanswered
        if bot.event_link is not link and bot.api_link is not link:
            return
        bot.event_link = None if bot.event_link is link else bot.event_link
        bot.api_link = None if bot.api_link is link else bot.api_link
        if bot.links:
            self.health.refresh(bot)
            return
        bot.state, bot.since = BotState.OFFLINE, self.clock.now()
        log.debug("bot %s is gone, from %s", bot.key, link.remote)
        self.observer.on_offline(bot)

    def _forget_one(self) -> None:
        """Forget the bot that is offline and known longest."""
        gone = next((key for key, bot in self.bots.items() if bot.state is BotState.OFFLINE), None)
        if gone is not None:
            bot = self.bots.pop(gone)
            self.namesakes[bot.self_id].discard(gone)
            if not self.namesakes[bot.self_id]:
                del self.namesakes[bot.self_id]

    def _press(self, link: Link) -> None:
        if link.accept.role.hears:
            link.connection.hold(HOLD_PRESSURE)

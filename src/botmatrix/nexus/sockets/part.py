"""The part of a nexus that deals with socket workers, wired."""

from __future__ import annotations

import contextlib
import secrets
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from botmatrix.bus.actions import ActionBox
from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.envelope import Envelope
from botmatrix.bus.keys import Keys
from botmatrix.bus.lanes import Lanes
from botmatrix.bus.media import MediaBox
from botmatrix.bus.presence import Presence
from botmatrix.clock import Clock
from botmatrix.config import Settings
from botmatrix.config.settings import HttpBot
from botmatrix.errors import EngineUnavailable
from botmatrix.nexus.handshake import Refuse, Request
from botmatrix.nexus.http.bots import HttpBots
from botmatrix.nexus.http.calls import CallDesk
from botmatrix.nexus.http.desk import HttpDesk
from botmatrix.nexus.http.posts import Posts
from botmatrix.nexus.hub import Bot, Hub
from botmatrix.nexus.media import MediaDesk
from botmatrix.nexus.sockets.announcer import Announcer
from botmatrix.nexus.sockets.asker import Asker
from botmatrix.nexus.sockets.dial import Dialer
from botmatrix.nexus.sockets.drains import Drains
from botmatrix.nexus.sockets.far import FarWorkers, relay_lane
from botmatrix.nexus.sockets.forward import ForwardBots
from botmatrix.nexus.sockets.relay import Relay
from botmatrix.nexus.sockets.servers import DialledApplications, DialledBots
from botmatrix.nexus.sockets.workers import SocketWorkers
from botmatrix.nexus.tokens import Tokens
from botmatrix.onebot.event import Event


class SocketPart:
    """Links of socket workers, those that are dialled, and what is told of them."""

    def __init__(self, settings: Settings, hub: Hub, keys: Keys, inc: str, clock: Clock) -> None:
        self._settings, self._hub = settings, hub
        self._works = False
        url = str(settings.redis_url)
        self._box = ActionBox(url, keys, f"{inc}.ask")
        self._client = Client(url, name=f"botmatrix-sockets-{inc}")
        self._presence = Presence(url, keys, name=f"botmatrix-sockets-presence-{inc}")
        self._media = MediaBox(Client(url, name=f"botmatrix-media-{inc}"), keys, clock)
        self.asker = Asker(hub, lambda: self._box, lambda: secrets.token_hex(12), clock)
        self.workers = SocketWorkers(hub, self.asker, settings.home.spool / f"{inc}.sockets", clock)
        self._tell_manners()
        self.dialer = Dialer(hub.timing, settings.max_frame, clock)
        self._applications = DialledApplications(self.workers, self.dialer)
        self.http_bots = HttpBots(hub, self.dialer.lines, settings.max_frame, clock)
        dialled = DialledBots(hub, self.dialer, self.http_bots)
        self._bots = ForwardBots(dialled, self._client, keys, inc)
        self.far = FarWorkers(self._client, keys, inc)
        self._drains = Drains(self._client, keys, self.workers)
        self.relay_lane = relay_lane(inc)
        self._relay = Relay(
            Lanes(url, keys, inc), self.relay_lane, lambda envelope, raw: self.on_relayed(envelope, raw)
        )
        self.on_relayed: Callable[[Envelope, bytes], None] = lambda _envelope, _payload: None
        self._announcer = Announcer(self._client, self._presence, keys, inc, self.workers)
        self.dialer.on_change = self._announcer.changed

    def on_change(self, tell: Callable[[], None]) -> None:
        """Call this whenever a socket worker comes or goes."""

        def changed() -> None:
            self._announcer.changed()
            if self.workers.workers:
                self._relay.want()
            tell()

        self.workers.on_change = changed

    def take(self, settings: Settings) -> None:
        """These settings are in force: the token, and whom to dial."""
        self._settings = settings
        self._tell_manners()
        if self._works:
            self._dial()

    def opens(self, _name: str, token: str) -> bool:
        """Whether a token is good for a socket worker."""
        right = str(self._settings.worker_token)
        return not right or secrets.compare_digest(right.encode(), token.encode(errors="surrogateescape"))

    def desk(self, tokens: Tokens, note: Callable[[str, Request, Refuse], None]) -> HttpDesk:
        """Who answers plain HTTP at the gateway; `note` keeps what is refused."""
        self.http_bots.banned = tokens.banned
        posts = Posts(self._posting, self.http_bots, self._bots.take, tokens, self._hub.clock)
        calls = CallDesk(self.asker, self.opens, self._hub.bots, self.workers.called)
        return HttpDesk(posts, calls, MediaDesk(self._media), self._settings.max_frame, note)

    def _posting(self) -> list[HttpBot]:
        return [bot for bot in self._settings.bots if isinstance(bot, HttpBot)]

    # ---------------------------------------------------------------- the bots

    def bot_came(self, bot: Bot) -> None:
        """A bot's link is here."""
        self._applications.bot_came(bot.key)

    def bot_went(self, bot: Bot) -> None:
        """A bot's last link ended."""
        self._applications.bot_went(bot.key)

    def on_meta(self, bot: Bot, event: Event) -> None:
        """A meta event of a bot."""
        self.workers.on_meta(bot, event)

    # ---------------------------------------------------------------- life

    def work(self) -> dict[str, Coroutine[Any, Any, None]]:
        """What runs as long as the nexus does."""
        self._works = True
        self._dial()
        return {
            "ask": self.asker.run(),
            "announce sockets": self._announcer.run(self.dialer),
            "dial bots": self._bots.run(),
            "drain sockets": self._drains.run(),
            "far sockets": self.far.run(),
            "relay": self._relay.run(),
        }

    def _tell_manners(self) -> None:
        apps = self._settings.onebot_apps
        copying = [app.name for app in apps if app.deliver == "all"]
        self.workers.configure(copying, [app.name for app in apps if app.format == "array"])

    def _dial(self) -> None:
        self._applications.configure(self._settings.onebot_apps)
        self._bots.configure(self._settings.bots)

    async def hang_up(self) -> None:
        """End every link that was dialled, and dial none any more."""
        self._works = False
        self._bots.stop()
        await self.http_bots.close()
        await self.dialer.close()

    async def close(self) -> None:
        """Hang up, and tell that nobody is here."""
        await self.hang_up()
        await self.asker.close()
        with contextlib.suppress(EngineUnavailable, ReplyError, TimeoutError):
            await self._announcer.farewell()
        await self._bots.release()
        await self._relay.close()
        await self._box.close()
        await self._presence.close()
        await self._media.close()
        await self._client.close()

    @property
    def counters(self) -> Counter[str]:
        """Everything counted here; of the workers that are gone too."""
        return self.workers.totals() + self.asker.counters + self._relay.counters

"""Who is dialled: each application once for every bot that is here, and bots' own servers."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from hashlib import blake2b
from typing import Final
from urllib.parse import urlsplit

from botmatrix.config.settings import BotServer, HttpBot, OneBotApp
from botmatrix.nexus.handshake import Accept, Role
from botmatrix.nexus.http.bots import HttpBots
from botmatrix.nexus.hub import Hub
from botmatrix.nexus.links import Link
from botmatrix.nexus.sockets.dial import Dialer, Line, Unfit, place_of
from botmatrix.nexus.sockets.link import WorkerLink
from botmatrix.nexus.sockets.request import AcceptWorker, Kind
from botmatrix.nexus.sockets.workers import SocketWorkers
from botmatrix.onebot.serving import is_number

AnyBot = BotServer | HttpBot

AGENT: Final = "OneBot/11 BotMatrix"


class DialledApplications:
    """Dials each application of `onebot_apps` for the bots whose links are here; its state is in `dialer.lines`."""

    def __init__(self, sockets: SocketWorkers, dialer: Dialer) -> None:
        self._sockets, self.dialer = sockets, dialer
        self._apps: dict[str, OneBotApp] = {}
        self._bots: set[str] = set()

    def configure(self, apps: Iterable[OneBotApp]) -> None:
        """Dial these from now on; links to an application that is gone or has changed end."""
        wanted = {app.name: app for app in apps}
        for name in [name for name, app in self._apps.items() if wanted.get(name) != app]:
            for bot in self._bots:
                self.dialer.drop(_name(name, bot))
        new = [app for name, app in wanted.items() if self._apps.get(name) != app]
        self._apps = wanted
        for bot in self._bots:
            self._dial(new, bot)

    def bot_came(self, bot: str) -> None:
        """A bot's link is here."""
        if bot not in self._bots:
            self._bots.add(bot)
            self._dial(self._apps.values(), bot)

    def bot_went(self, bot: str) -> None:
        """It is not here any more: another nexus may dial for it."""
        self._bots.discard(bot)
        for name in self._apps:
            self.dialer.drop(_name(name, bot))

    def _dial(self, apps: Iterable[OneBotApp], bot: str) -> None:
        for app in apps:
            if not app.bots or bot in app.bots:
                self.dialer.keep(self._line(app, bot))

    def _line(self, app: OneBotApp, bot: str) -> Line:
        platform, _, self_id = bot.partition(":")
        headers = [("X-Self-ID", self_id), ("X-Client-Role", "Universal"), ("User-Agent", AGENT)]
        headers += [("X-Platform", platform)] if not is_number(self_id) or platform != "qq" else []
        headers += [("Authorization", f"Bearer {app.token}")] if app.token else []
        accept = AcceptWorker(Kind.APPLICATION, app.name, bot, Role.UNIVERSAL, "")
        return Line(_name(app.name, bot), app.url, partial(self._link, accept, place_of(app.url)), headers)

    def _link(self, accept: AcceptWorker, place: str) -> WorkerLink:
        if self._sockets.is_taken(accept.worker_id):
            raise Unfit("a stream worker has this name: give the application another one")
        return self._sockets.link(accept, place)


class DialledBots:
    """Dials bots' own servers (`bots`): the link is a bot's link like any other. Bots of HTTP are kept by `http`."""

    def __init__(self, hub: Hub, dialer: Dialer, http: HttpBots) -> None:
        self._hub, self.dialer, self._http = hub, dialer, http

    def keep(self, server: AnyBot) -> None:
        """Have a link to this server from now on."""
        if isinstance(server, HttpBot):
            self._http.keep(server)
            return
        headers = [("User-Agent", AGENT)]
        headers += [("Authorization", f"Bearer {server.token}")] if server.token else []
        accept = Accept(Role.UNIVERSAL, server.platform, "", AGENT, True, "")
        place = place_of(server.url)
        owner = partial(Link, self._hub, accept, place, lambda key: not self._http.banned(key))
        self.dialer.keep(Line(bot_line(server), server.url, owner, headers))

    def drop(self, server: AnyBot) -> None:
        """Hang up, and stay away."""
        if isinstance(server, HttpBot):
            self._http.drop(server)
        else:
            self.dialer.drop(bot_line(server))


def bot_line(server: AnyBot) -> str:
    """The name of the line to a bot's server, without what may be secret in its URL; no other server has the same."""
    if isinstance(server, HttpBot):
        return f"bot {server.key}"
    url = urlsplit(server.url)
    query = f"?{blake2b(url.query.encode(), digest_size=4).hexdigest()}" if url.query else ""
    return f"bot at {place_of(server.url)}{url.path.rstrip('/')}{query}"


def _name(app: str, bot: str) -> str:
    return f"{app} for {bot}"

"""What a new link is asked: who it is, and which groups it is in; spread out when thousands come at once."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from botmatrix.nexus.connection import ConnectionState
from botmatrix.onebot.action import ActionResponse
from botmatrix.onebot.v11 import read_group_list, read_login_info

if TYPE_CHECKING:
    from botmatrix.nexus.hub import Hub
    from botmatrix.nexus.links import Link

LOGIN_TIMEOUT = 10.0
MAX_BURST = 50


class Greeter:
    """Asks each new link about a second after it came, the unnamed first, at a steady rate. Failures are
    ignored.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._unnamed: deque[tuple[float, Link]] = deque()
        self._named: deque[tuple[float, Link]] = deque()
        self._allowance = 0.0
        self._ticked_at = 0.0

    def add(self, link: Link, now: float) -> None:
        """Greet this link when its time has come."""
        if link.accept.role.speaks:
            queue = self._named if link.key else self._unnamed
            queue.append((now + self._hub.timing.greeting, link))

    def tick(self, now: float) -> None:
        """Greet whose time has come, as many as the rate allows."""
        rate = self._hub.timing.greetings
        self._allowance = min(self._allowance + rate * (now - self._ticked_at), MAX_BURST)
        self._ticked_at = now
        for queue in (self._unnamed, self._named):
            while queue and queue[0][0] <= now and self._allowance >= 1:
                self._allowance -= 1
                self._greet(queue.popleft()[1])

    def _greet(self, link: Link) -> None:
        if link.connection.state is not ConnectionState.OPEN:
            return
        if link.key and link.bot is None:  # an older link is being probed: this one may not speak yet
            self.add(link, self._ticked_at)
            return
        link.call("get_login_info", b"{}", lambda answer: self._on_login_info(link, answer), LOGIN_TIMEOUT)
        if link.bot is not None:
            self.ask_groups(link)

    def ask_groups(self, link: Link) -> None:
        """Ask for the groups that the link's bot is in."""
        link.call("get_group_list", b"{}", lambda answer: self._on_group_list(link, answer), LOGIN_TIMEOUT)

    def _on_login_info(self, link: Link, answer: ActionResponse | None) -> None:
        if answer is None or not answer.ok:
            return
        self_id, nickname = read_login_info(bytes(answer.data))
        if not link.session.self_id and self_id:
            link.name(self_id)
            self._hub.greeter.add(link, self._ticked_at)
        if link.bot is not None and link.bot.self_id == self_id and nickname != link.bot.nickname:
            link.bot.nickname = nickname
            self._hub.observer.on_change(link.bot)

    def _on_group_list(self, link: Link, answer: ActionResponse | None) -> None:
        if answer is None or not answer.ok or link.bot is None:
            return
        groups = read_group_list(bytes(answer.data))
        if groups != link.bot.groups:
            link.bot.groups = groups
            self._hub.observer.on_change(link.bot)

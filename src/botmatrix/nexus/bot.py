"""One bot as this nexus sees it, whether it is here or was here."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from botmatrix.nexus.calls import OnAnswer

if TYPE_CHECKING:
    from botmatrix.nexus.links import Link


class BotState(StrEnum):
    """CONNECTING: one half of a split pair is here. DEGRADED: its heartbeats stopped, or say that it is not
    well.
    """

    CONNECTING = "connecting"
    ONLINE = "online"
    DEGRADED = "degraded"
    OFFLINE = "offline"


class Bot:
    """One `platform:self_id`; kept, offline, after its link ends.

    `since`: unix seconds of the last change of state. `epoch`: the fence of its lane, 0 until it is claimed.
    `groups`: id -> name. `received`: events, meta events left out. `sent`: actions written. `failed`:
    actions that got no answer. `last_event_at`: unix seconds, right to about a second; 0 before the first.
    """

    __slots__ = (
        *(
            "api_link",
            "epoch",
            "event_link",
            "failed",
            "groups",
            "heartbeat_at",
            "heartbeat_every",
            "healthy",
        ),
        *("key", "last_event_at", "nickname", "opened", "platform", "received", "remote", "self_id", "sent"),
        *("since", "state", "user_agent"),
    )

    def __init__(self, platform: str, self_id: str, since: float) -> None:
        self.key = f"{platform}:{self_id}"
        self.platform = platform
        self.self_id = self_id
        self.state = BotState.OFFLINE
        self.since = since
        self.epoch = 0
        self.nickname = self.remote = self.user_agent = ""
        self.groups: dict[str, str] = {}
        self.received = self.sent = self.failed = 0
        self.last_event_at = 0.0
        self.event_link: Link | None = None
        self.api_link: Link | None = None
        self.heartbeat_every = self.heartbeat_at = 0.0
        self.healthy = True
        self.opened: tuple[float, ...] = ()

    def __repr__(self) -> str:
        return f"<Bot {self.key} {self.state}>"

    @property
    def links(self) -> list[Link]:
        """The links that it has now: none, one, or two of a split pair."""
        both = (self.event_link, self.api_link)
        return [link for i, link in enumerate(both) if link is not None and link not in both[:i]]

    def call(self, action: str, params: bytes, on_answer: OnAnswer, *, timeout: float = 30.0) -> bool:
        """Write an action to the bot's link now.

        False: there is no link, or 1,024 actions wait for answers, or the bot reads too slowly (its link is
        then closed with 1013); nothing was written and `on_answer` is not called. True: `on_answer` is
        called exactly once, with the answer, or with None when the link ended or `timeout` passed: then the
        outcome is unknown. An answer that comes after that None calls it once more.
        """
        link = self.api_link
        return link is not None and link.call(action, params, on_answer, timeout)

"""What the hub itself says in a chat, through the link of the bot that was spoken to."""

from __future__ import annotations

from collections import Counter
from typing import Final

import msgspec

from botmatrix.clock import Clock
from botmatrix.core.config import SystemControl
from botmatrix.core.judge import MAINTENANCE
from botmatrix.core.text import said
from botmatrix.nexus.bot import Bot
from botmatrix.onebot.action import ActionResponse
from botmatrix.onebot.event import Event

PAUSE: Final = 60.0
"""Seconds for which a conversation is not told again that the system is closed."""
MOST_TOLD: Final = 10_000


class _Place(msgspec.Struct):
    """Where an event comes from, ids in their own types."""

    group_id: msgspec.Raw = msgspec.Raw(b"null")
    user_id: msgspec.Raw = msgspec.Raw(b"null")


class _Text(msgspec.Struct):
    text: str


class _Segment(msgspec.Struct):
    data: _Text
    type: str = "text"


_place: Final = msgspec.json.Decoder(_Place).decode
_encode: Final = msgspec.json.Encoder().encode


class Answers:
    """Counters: `core_answers` written, `core_answers_unsent` when the bot's link took nothing."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told: dict[tuple[str, str], float] = {}
        self.counters: Counter[str] = Counter()

    def say(self, bot: Bot, event: Event, text: str) -> None:
        """Answer in the conversation of `event`; plain text, never read as CQ codes."""
        try:
            place = _place(event.raw)
        except (msgspec.DecodeError, RecursionError):
            self.counters["core_answers_unsent"] += 1
            return
        message = [_Segment(_Text(text))]
        if event.group_id and event.detail_type != "private":
            sent = bot.call("send_group_msg", _encode({"group_id": place.group_id, "message": message}), _heard)
        else:
            sent = bot.call("send_private_msg", _encode({"user_id": place.user_id, "message": message}), _heard)
        self.counters["core_answers" if sent else "core_answers_unsent"] += 1

    def say_closed(self, bot: Bot, event: Event, reason: str, control: SystemControl) -> None:
        """Tell why there is no answer: in private, or when the bot was mentioned; once a minute at most."""
        text = control.maintenance_reply if reason == MAINTENANCE else control.closed_reply
        if not text or not self._is_due(bot, event):
            return
        if event.detail_type == "private" or bot.self_id in said(event.raw).mentions:
            self._told[bot.key, event.conv] = self._clock.now()
            self.say(bot, event, text)

    def _is_due(self, bot: Bot, event: Event) -> bool:
        now, conversation = self._clock.now(), (bot.key, event.conv)
        if conversation in self._told and now - self._told[conversation] < PAUSE:
            return False
        if len(self._told) >= MOST_TOLD:
            self._told = {one: when for one, when in self._told.items() if now - when < PAUSE}
        return len(self._told) < MOST_TOLD


def _heard(_answer: ActionResponse | None) -> None:
    """Nobody waits for what became of it."""

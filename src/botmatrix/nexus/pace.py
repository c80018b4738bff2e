"""When a bot, and each target of it, may be sent the next message. Nothing here waits."""

from __future__ import annotations

import random
from typing import Final, NamedTuple, Protocol

import msgspec

from botmatrix.bus.hot_values import Limit, RateLimits
from botmatrix.errors import BadFrame
from botmatrix.onebot.ids import group_id_text, id_text

MOST: Final = 20_000
"""Bots and targets whose pauses are remembered, before those that are over are forgotten."""

SHORT: Final = 0.05
"""Seconds: a pause this short is not kept singly, for putting a message off in Redis takes as long; messages that come
together go together, and are paid for by the next ones, so that a minute still has as many as it may have."""


class Turn(NamedTuple):
    """Whose turn an action has to wait for. `target`: `group:ID`, `user:ID`, or "" when it names nobody."""

    bot: str
    target: str


class _Params(msgspec.Struct, gc=False):
    group_id: int | str | None = None
    user_id: int | str | None = None


_params: Final = msgspec.json.Decoder(_Params).decode


class Speech(Protocol):
    """An action of a bot, wherever it came from."""

    @property
    def bot(self) -> str: ...

    @property
    def params(self) -> bytes | msgspec.Raw: ...


def turn_of(action: Speech) -> Turn:
    """Whose turn it is; never raises."""
    try:
        found = _params(action.params)
        group, user = group_id_text(found.group_id), id_text(found.user_id)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError, BadFrame):
        return Turn(action.bot, "")
    return Turn(action.bot, f"group:{group}" if group else f"user:{user}" if user else "")


class _Pauses:
    """Seconds between two messages of a bot, or to a target."""

    def __init__(self, limit: Limit) -> None:
        self._limit, self._usual = limit, _pause(limit.per_min)
        self.are_off = limit.is_off

    def of(self, bot: str, id_: str) -> float:
        """0: as many as they like."""
        if not self._limit.exceptions:
            return self._usual
        return _pause(self._limit.of(bot.partition(":")[0], id_))


class Pace:
    """Pauses between messages: a minute divided by the number, and up to the jitter more. Times: monotonic seconds."""

    def __init__(self) -> None:
        self._next: dict[Turn | str, float] = {}
        self._most = MOST
        self.adjust(RateLimits())

    def adjust(self, limits: RateLimits) -> None:
        """Go by these from the next message on."""
        self._bot = _Pauses(limits.sent("bot"))
        self._target = {"group": _Pauses(limits.sent("group")), "user": _Pauses(limits.sent("user"))}
        self._jitter = limits.send_jitter_ms / 1000
        self.is_on = not (self._bot.are_off and all(pauses.are_off for pauses in self._target.values()))

    def due(self, turn: Turn) -> float:
        """When the next message to this target may be sent; in the past: now."""
        return self._due(self._pauses(turn)) if self.is_on else 0.0

    def take(self, turn: Turn, now: float) -> None:
        """A message to this target is sent now."""
        self._book(self._pauses(turn), now)

    def passes(self, turn: Turn, now: float) -> bool:
        """Whether a message to this target may be sent now; then this counts as its turn."""
        if not self.is_on:
            return True
        pauses = self._pauses(turn)
        if self._due(pauses) > now:
            return False
        self._book(pauses, now)
        return True

    def _pauses(self, turn: Turn) -> list[tuple[Turn | str, float]]:
        """Those that this message has to keep, of its bot and of its target."""
        found: list[tuple[Turn | str, float]] = []
        bot = turn.bot
        if pause := self._bot.of(bot, bot.partition(":")[2]):
            found.append((bot, pause))
        whose, _, id_ = turn.target.partition(":")
        if whose and (pause := self._target[whose].of(bot, id_)):
            found.append((turn, pause))
        return found

    def _due(self, pauses: list[tuple[Turn | str, float]]) -> float:
        latest = 0.0
        for key, pause in pauses:
            due = self._next.get(key, 0.0)
            if pause < SHORT:
                due -= SHORT
            latest = max(due, latest)
        return latest

    def _book(self, pauses: list[tuple[Turn | str, float]], now: float) -> None:
        if len(self._next) >= self._most:
            self._next = {key: due for key, due in self._next.items() if due > now}
            self._most = max(MOST, 2 * len(self._next))  # not with each message while very many pause
        for key, pause in pauses:
            begin = max(now, self._next.get(key, 0.0)) if pause < SHORT else now
            jitter = random.uniform(0, self._jitter) if self._jitter else 0.0  # noqa: S311 - no secret
            self._next[key] = begin + pause + jitter


def _pause(per_min: int) -> float:
    return 60 / per_min if per_min else 0.0

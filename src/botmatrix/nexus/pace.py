"""When a bot, and each target of it, may be sent the next message. Nothing here waits."""

from __future__ import annotations

import random
from typing import Final, NamedTuple, Protocol

import msgspec

from botmatrix.bus.hot_values import RateLimits
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


class Pace:
    """Pauses between messages: a minute divided by the number, and up to the jitter more. Times: monotonic seconds."""

    def __init__(self) -> None:
        self._next: dict[tuple[str, str], float] = {}
        self.adjust(RateLimits())

    def adjust(self, limits: RateLimits) -> None:
        """Go by these from the next message on."""
        self._bot = limits.sent("bot")
        self._target = {"group": limits.sent("group"), "user": limits.sent("user")}
        self._jitter = limits.send_jitter_ms / 1000
        self.is_on = not (self._bot.is_off and all(limit.is_off for limit in self._target.values()))

    def due(self, turn: Turn) -> float:
        """When the next message to this target may be sent; in the past: now."""
        if not self.is_on:
            return 0.0
        return max(
            self._due((turn.bot, ""), self._bot_pause(turn.bot)),
            self._due(turn, self._target_pause(turn)),
        )

    def take(self, turn: Turn, now: float) -> None:
        """A message to this target is sent now."""
        if len(self._next) >= MOST:
            self._next = {key: due for key, due in self._next.items() if due > now}
        for key, pause in (((turn.bot, ""), self._bot_pause(turn.bot)), (turn, self._target_pause(turn))):
            if pause:
                begin = max(now, self._next.get(key, 0.0)) if pause < SHORT else now
                self._next[key] = begin + pause + random.uniform(0, self._jitter)  # noqa: S311 - no secret

    def _due(self, key: tuple[str, str], pause: float) -> float:
        if not pause:
            return 0.0
        return self._next.get(key, 0.0) - (SHORT if pause < SHORT else 0.0)

    def _bot_pause(self, bot: str) -> float:
        platform, _, self_id = bot.partition(":")
        return _pause(self._bot.of(platform, self_id))

    def _target_pause(self, turn: Turn) -> float:
        whose, _, id_ = turn.target.partition(":")
        limit = self._target.get(whose)
        return _pause(limit.of(turn.bot.partition(":")[0], id_)) if limit is not None else 0.0


def _pause(per_min: int) -> float:
    return 60 / per_min if per_min else 0.0

"""What the hot configuration may hold, and what it means: text in, checked numbers out.

Fields are named as in existing deployments. Exceptions are fields of their own: `user:123:limit` (or
`user:qq:123:limit`, for one platform) takes the place of `user_limit_per_min` for that user.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Final, Literal, NamedTuple, TypeVar

from botmatrix.errors import BotMatrixError
from botmatrix.onebot.ids import plain_key

MOST_PER_MIN: Final = 1_000_000
_WHOLE: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_EXCEPTION: Final = re.compile(r"(user|group|bot):([^\s:](?:[^\s]{0,126}[^\s:])?):(limit|send_limit)")


class BadHotValues(BotMatrixError):
    """Fields that can't be used: says what is wrong with each."""


Whose = Literal["user", "group", "bot"]


class Kind(StrEnum):
    """The hashes, by the last part of their names."""

    RATELIMIT = "ratelimit"
    TTL = "ttl"


def _whole(default: int, low: int, high: int) -> Any:
    return field(default=default, metadata={"low": low, "high": high})


@dataclass(frozen=True, slots=True)
class Limit:
    """So many a minute, with exceptions by id: `qq:123`, or `123` on every platform. 0: as many as they like."""

    per_min: int = 0
    exceptions: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_off(self) -> bool:
        """Whether nobody is limited."""
        return not self.per_min and not any(self.exceptions.values())

    def of(self, platform: str, id_: str) -> int:
        """The number that holds for one of them."""
        found = self.exceptions.get(f"{platform}:{id_}")
        return found if found is not None else self.exceptions.get(id_, self.per_min)


@dataclass(frozen=True, slots=True)
class RateLimits:
    """`config:ratelimit`. Everything is off until somebody sets it."""

    user_limit_per_min: int = _whole(0, 0, MOST_PER_MIN)
    group_limit_per_min: int = _whole(0, 0, MOST_PER_MIN)
    bot_limit_per_min: int = _whole(0, 0, MOST_PER_MIN)
    send_bot_per_min: int = _whole(0, 0, MOST_PER_MIN)
    send_target_per_min: int = _whole(0, 0, MOST_PER_MIN)
    send_jitter_ms: int = _whole(0, 0, 10_000)
    exceptions: Mapping[str, int] = field(default_factory=dict)
    """Field name -> number."""

    def heard(self, whose: Whose) -> Limit:
        """What one of them may say to the bots of a nexus."""
        return Limit(getattr(self, f"{whose}_limit_per_min"), self._exceptions(whose, "limit"))

    def sent(self, whose: Whose) -> Limit:
        """What a bot may send in all, or to one user or group."""
        per_min = self.send_bot_per_min if whose == "bot" else self.send_target_per_min
        return Limit(per_min, self._exceptions(whose, "send_limit"))

    def _exceptions(self, whose: str, what: str) -> dict[str, int]:
        parts = [(_EXCEPTION.fullmatch(name), number) for name, number in self.exceptions.items()]
        named = {found[2]: number for found, number in parts if found and (found[1], found[3]) == (whose, what)}
        return {plain_key(name): number for name, number in named.items()} | named


@dataclass(frozen=True, slots=True)
class Ttls:
    """`config:ttl`: times in seconds, and what belongs to them."""

    idempotency_ttl_sec: int = _whole(120, 1, 86_400)
    """For how long the same event of a bot counts as a duplicate."""
    session_ttl_sec: int = _whole(86_400, 60, 31_536_000)
    """For how long a chat session is kept after its last message."""
    session_history: int = _whole(5, 0, 100)
    """How many messages the history of a chat session holds; 0: none is written. Not a time, but as hot."""


class Checked(NamedTuple):
    """Fields that can be used, and what is wrong with the others, both by name."""

    numbers: dict[str, int]
    problems: dict[str, str]


def check(kind: Kind, text: Mapping[str, str]) -> Checked:
    """Read the fields of a hash; never raises."""
    checked = Checked({}, {})
    for name, value in text.items():
        try:
            checked.numbers[name] = _number(kind, name, value)
        except ValueError as error:
            checked.problems[name] = str(error)
    return checked


def rate_limits(numbers: Mapping[str, int]) -> RateLimits:
    """Checked numbers as limits."""
    known, exceptions = _split(RateLimits, numbers)
    return RateLimits(**known, exceptions=exceptions)


def ttls(numbers: Mapping[str, int]) -> Ttls:
    """Checked numbers as times to live."""
    return Ttls(**_split(Ttls, numbers)[0])


def defaults(kind: Kind) -> dict[str, int]:
    """The numbers that hold as long as nobody sets them."""
    return {name: one.default for name, one in _known(kind).items()}


T = TypeVar("T", RateLimits, Ttls)


def _split(cls: type[T], numbers: Mapping[str, int]) -> tuple[dict[str, Any], dict[str, int]]:
    names = {one.name for one in fields(cls) if one.metadata}
    known = {name: number for name, number in numbers.items() if name in names}
    return known, {name: number for name, number in numbers.items() if name not in names}


def _known(kind: Kind) -> dict[str, Any]:
    cls = RateLimits if kind is Kind.RATELIMIT else Ttls
    return {one.name: one for one in fields(cls) if one.metadata}


def _number(kind: Kind, name: str, value: str) -> int:
    low, high = _range(kind, name)
    number = int(value) if _WHOLE.fullmatch(value.strip()) else -1
    if not low <= number <= high:
        raise ValueError(f"{value[:40]!r} must be a whole number from {low} to {high}")
    return number


def _range(kind: Kind, name: str) -> tuple[int, int]:
    known = _known(kind)
    if name in known:
        return known[name].metadata["low"], known[name].metadata["high"]
    if kind is Kind.RATELIMIT and _EXCEPTION.fullmatch(name):
        return 0, MOST_PER_MIN
    near = difflib.get_close_matches(name[:100], known, 1)
    raise ValueError("there is no such field" + (f"; did you mean {near[0]}?" if near else ""))

"""Conditions: which events set a task off. Compiled once, asked for every event that goes on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
import re2

from botmatrix.core.normal import normal
from botmatrix.core.patterns import BadPattern, compiled
from botmatrix.core.text import said
from botmatrix.onebot.event import Event
from botmatrix.tasks.ids import bot_key, id_text
from botmatrix.tasks.model import BadTask

MOST: Final = 200
"""Conditions that may be on at a time: each message meets all that its type, bot, group and user leave."""
_MOST_VALUES: Final = 100
_LONGEST: Final = 200
_EVENTS: Final = ("message", "notice", "request")
_LONGEST_COOLDOWN: Final = 366 * 86_400
_FIELDS: Final = ("event", "keyword", "regex", "bot_id", "group_id", "user_id", "cooldown")


class Condition(msgspec.Struct, frozen=True):
    """All that is said must hold; of several keywords, bots, groups or users, one.

    `event`: `message`, `notice` or `request`, also with its kind (`notice.group_increase`) and sub-type
    (`notice.notify.poke`). `keyword` is looked for in the text without regard to case and disguise, `regex` (RE2)
    without regard to case. `cooldown`: seconds in which the task is set off once at most.
    """

    event: str
    keyword: tuple[str, ...] = ()
    regex: str = ""
    bot_id: tuple[str, ...] = ()
    group_id: tuple[str, ...] = ()
    user_id: tuple[str, ...] = ()
    cooldown: float = 0

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> Condition:
        """A condition as it was written down; single values may stand for lists. Raises `BadTask`."""
        if unknown := set(config) - set(_FIELDS):
            raise BadTask(f"trigger_config: {min(unknown)!r} is unknown; it takes {', '.join(_FIELDS)}")
        condition = cls(
            event=_event(config.get("event")),
            keyword=tuple(_keyword(one) for one in _several("keyword", config)),
            regex=_regex(config.get("regex", "")),
            bot_id=tuple(bot_key(one) for one in _several("bot_id", config)),
            group_id=tuple(id_text("group_id", one) for one in _several("group_id", config)),
            user_id=tuple(id_text("user_id", one) for one in _several("user_id", config)),
            cooldown=_cooldown(config.get("cooldown", 0)),
        )
        if (condition.keyword or condition.regex) and not condition.event.startswith("message"):
            raise BadTask("keyword: only messages have a text")
        return condition

    def config(self) -> dict[str, Any]:
        """How it is written down."""
        said = ((name, getattr(self, name)) for name in _FIELDS)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in said if value}


class _Compiled:
    """One condition, ready to be asked."""

    __slots__ = ("_bots", "_groups", "_keywords", "_kind", "_regex", "_sub", "_users", "reads", "task_id")

    def __init__(self, task_id: int, condition: Condition) -> None:
        _, self._kind, self._sub = (*condition.event.split("."), "", "")[:3]
        self.task_id = task_id
        self._bots, self._groups = frozenset(condition.bot_id), frozenset(condition.group_id)
        self._users = frozenset(condition.user_id)
        self._keywords = [normal(one) for one in condition.keyword]
        self._regex: re2._Regexp | None = compiled(condition.regex) if condition.regex else None
        self.reads = bool(self._keywords or self._regex)

    def suits(self, bot: str, event: Event) -> bool:
        """Whether everything but the text is right."""
        return (
            (not self._kind or self._kind == event.detail_type)
            and (not self._sub or self._sub == event.sub_type)
            and (not self._groups or event.group_id in self._groups)
            and (not self._users or event.user_id in self._users)
            and (not self._bots or bot in self._bots)
        )

    def found_in(self, text: _Text) -> bool:
        """Whether the text is right."""
        if self._keywords and not any(one in text.normal for one in self._keywords):
            return False
        return self._regex is None or self._regex.search(text.encoded) is not None


class _Text:
    """What a message says, in the forms in which it is searched."""

    def __init__(self, raw: bytes) -> None:
        self.plain = said(raw).whole
        self.normal = normal(self.plain)
        self.encoded = self.plain.encode(errors="replace")


class Conditions:
    """Many conditions. Without any, `len()` is 0 and nobody needs to ask."""

    def __init__(self, conditions: Iterable[tuple[int, Condition]] = ()) -> None:
        self._by_type: dict[str, list[_Compiled]] = {}
        for task_id, condition in conditions:
            post_type = condition.event.partition(".")[0]
            self._by_type.setdefault(post_type, []).append(_Compiled(task_id, condition))

    def __len__(self) -> int:
        return sum(map(len, self._by_type.values()))

    def met(self, bot: str, event: Event) -> list[int]:
        """The tasks that an event of a bot (`platform:self_id`) sets off. Never raises."""
        found: list[int] = []
        text: _Text | None = None
        for one in self._by_type.get(event.post_type, ()):
            if not one.suits(bot, event):
                continue
            if one.reads:
                text = text or _Text(event.raw)
                if not one.found_in(text):
                    continue
            found.append(one.task_id)
        return found


def _several(name: str, config: Mapping[str, Any]) -> list[Any]:
    value = config.get(name, [])
    values = value if isinstance(value, list | tuple) else [value]
    if len(values) > _MOST_VALUES:
        raise BadTask(f"{name}: at most {_MOST_VALUES} of them")
    return [one for one in values if one != ""]


def _event(value: Any) -> str:
    if not isinstance(value, str) or value.partition(".")[0] not in _EVENTS:
        raise BadTask("event: must be message, notice or request, also with its kind, as in notice.group_increase")
    steps = value.split(".")
    if len(value) > _LONGEST or len(steps) > 3 or not all(step.isidentifier() for step in steps):
        raise BadTask("event: must be at most type.kind.sub_type")
    return value


def _keyword(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST or not normal(value).strip():
        raise BadTask(f"keyword: must be text of 1 to {_LONGEST} characters")
    return value


def _regex(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 10 * _LONGEST:
        raise BadTask(f"regex: must be text of at most {10 * _LONGEST} characters")
    try:
        if value:
            compiled(value)
    except BadPattern as error:
        raise BadTask(f"regex: {error}") from None
    return value


def _cooldown(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LONGEST_COOLDOWN:
        raise BadTask(f"cooldown: must be seconds, 0 to {_LONGEST_COOLDOWN}")
    return float(value)

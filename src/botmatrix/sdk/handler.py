"""Handlers as a plugin declares them: when they run, what they take, what they are."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from botmatrix.sdk.arguments import Arguments
from botmatrix.sdk.concurrency import SERIAL, Concurrency
from botmatrix.sdk.perm import Permission
from botmatrix.sdk.rate import Rate

Function = Callable[..., Any]


class Trigger(StrEnum):
    """What makes a handler run."""

    COMMAND = "command"
    MESSAGE = "message"
    NOTICE = "notice"
    REQUEST = "request"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Handler:
    """One handler. `words`: a command's name and aliases, or the kinds of notice or request (none: all).

    Handlers run by `priority`, lower first, then by the order of their plugins and of their declaration.
    After one with `block`, no later one runs for the event. `timeout`: seconds. `keywords`: folded. `plain`: it runs as
    most do, one event after another for each person.
    """

    name: str
    function: Function
    trigger: Trigger
    arguments: Arguments
    words: tuple[str, ...] = ()
    bare: bool = False
    regex: re.Pattern[str] | None = None
    permission: Permission = Permission.MEMBER
    priority: int = 10
    block: bool = False
    timeout: float = 60.0
    description: str = ""
    is_async: bool = True
    keywords: tuple[str, ...] = ()
    intent: str = ""
    cooldown: tuple[Rate, ...] = ()
    quota: tuple[Rate, ...] = ()
    concurrency: Concurrency = SERIAL
    serial: str = "user"
    plain: bool = True

    def heard(self, text: str, event: Mapping[str, Any]) -> Mapping[str, str | None] | None:
        """What the named groups of its regex found in a message; None when the message is not for it."""
        if self.regex is not None and (found := self.regex.search(text)):
            return found.groupdict()
        if self.keywords and self._has_keyword(text):
            return {}
        if self.intent:
            return {} if event.get("intent_hint") == self.intent else None
        return {} if self.regex is None and not self.keywords else None

    def _has_keyword(self, text: str) -> bool:
        folded = text.casefold()
        return any(word in folded for word in self.keywords)

    @property
    def limited(self) -> bool:
        """Whether its uses are counted."""
        return bool(self.cooldown or self.quota)

    @property
    def usage(self) -> str:
        """How to write a command, without its prefix."""
        return f"{self.words[0]} {self.arguments.usage}".rstrip()


def first_line(function: Function) -> str:
    """What a handler's docstring says of it."""
    text = inspect.getdoc(function) or ""
    return text.partition("\n")[0].strip()

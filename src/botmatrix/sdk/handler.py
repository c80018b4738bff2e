"""Handlers as a plugin declares them: when they run, what they take, what they are."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from botmatrix.sdk.arguments import Arguments
from botmatrix.sdk.perm import Permission

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
    After one with `block`, no later one runs for the event. `timeout`: seconds.
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

    @property
    def usage(self) -> str:
        """How to write a command, without its prefix."""
        return f"{self.words[0]} {self.arguments.usage}".rstrip()


def first_line(function: Function) -> str:
    """What a handler's docstring says of it."""
    text = inspect.getdoc(function) or ""
    return text.partition("\n")[0].strip()

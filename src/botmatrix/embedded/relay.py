"""One combined log: what children write, line by line, under the name of the part."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections import deque
from typing import Any

import structlog

_log = structlog.get_logger()
_passed_on = structlog.wrap_logger(None, wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET))
"""For what a part has logged: its own level, which may change while it runs, has decided already."""
_VALKEY_HEAD = re.compile(r"^\d+:[A-Z] \d+ \w+ \d+ [\d:.]+ ([*#.-]) ")
_TROUBLE = re.compile(r"^(WARNING|ERROR|FATAL|PANIC):|^# ")
_ROUTINE = re.compile(r"^FATAL:  the database system is|^FATAL:  terminating connection|overcommit|bye bye")
_RESERVED = frozenset(("self", "timestamp"))
"""Fields that the log has of its own."""
LAST_WORDS = 20
LONGEST = 8192
"""Bytes of a line that are kept."""


class Relay:
    """Reads a child's output to its end. Parts write JSON lines; anything else is a line of text."""

    def __init__(self, name: str, *, engine: bool) -> None:
        self._name, self._engine = name, engine
        self.last_words: deque[str] = deque(maxlen=LAST_WORDS)

    async def read(self, stream: asyncio.StreamReader) -> None:
        """Until the other end closes it. A line longer than the stream's limit is cut."""
        while True:
            try:
                line = await stream.readuntil(b"\n")
            except asyncio.IncompleteReadError as end:
                if end.partial:
                    self.line(end.partial)
                return
            except asyncio.LimitOverrunError as overrun:
                line = await stream.read(overrun.consumed or 1)
            self.line(line)

    def line(self, raw: bytes) -> None:
        """Log one line."""
        cut = raw if len(raw) <= LONGEST or raw.startswith(b"{") else raw[:LONGEST] + b" ... (cut)"
        text = _VALKEY_HEAD.sub(r"\1 ", cut.decode("utf-8", "replace").strip())
        if not text:
            return
        fields = _fields(text)
        level = _level(fields.pop("level", None) if fields else None, text, engine=self._engine)
        event = str(fields.pop("event", "")) if fields else text
        self.last_words.append(event)
        (_passed_on if fields else _log).log(level, event, **{**fields, "part": self._name})


def _fields(text: str) -> dict[str, Any]:
    if text.startswith("{"):
        try:
            found = json.loads(text)
        except ValueError:
            return {}
        if isinstance(found, dict) and "event" in found:
            return {str(key): value for key, value in found.items() if key not in _RESERVED}
    return {}


def _level(named: object, text: str, *, engine: bool) -> int:
    """An engine's chatter is worth a look only when something is wrong."""
    if isinstance(named, str):
        return logging.getLevelNamesMapping().get(named.upper(), logging.INFO)
    if not engine:
        return logging.INFO
    return logging.WARNING if _TROUBLE.search(text) and not _ROUTINE.search(text) else logging.DEBUG

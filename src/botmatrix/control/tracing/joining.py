"""From reports to rows: what was said about one event becomes one row of `traces`, what was said at all `messages`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from botmatrix.bus.event_id import is_event_id, second_of
from botmatrix.bus.trace_parts import Acted, Heard, Part, Ran, Repeated
from botmatrix.control.tracing.outcome import Outcome
from botmatrix.store.grams import grams
from botmatrix.store.history_log import Row, moment

_TEXTS: Final = ("bot", "conv", "user_id", "group_id", "kind", "text", "rule", "worker", "reason")
_MOST_ACTIONS: Final = 50
"""Actions of one event that are kept apart."""


class Joined:
    """The rows that some parts make. `size`: how many."""

    def __init__(self) -> None:
        self._traces: dict[str, Row] = {}
        self._messages: dict[str, Row] = {}

    @property
    def size(self) -> int:
        return len(self._traces) + len(self._messages)

    @property
    def traces(self) -> list[Row]:
        """Rows of `traces`."""
        return list(self._traces.values())

    @property
    def messages(self) -> list[Row]:
        """Rows of `messages`."""
        return list(self._messages.values())

    def add(self, parts: Iterable[Part]) -> None:
        """Take parts in. What has no event's id makes no trace; an action on demand is a message all the same."""
        for part in parts:
            if is_event_id(part.id):
                self._join(part)
            if isinstance(part, Heard):
                self._hear(part)
            elif isinstance(part, Acted):
                self._say(part)

    def _join(self, part: Part) -> None:
        row = self._traces.setdefault(part.id, _empty(part.id))
        outcome = outcome_after(part)
        if outcome >= row["outcome"]:
            row["outcome"] = outcome
        if len(row["parts"]) < _MOST_ACTIONS or not isinstance(part, Acted):
            row["parts"] |= named(part)
        if isinstance(part, Heard):
            row.update(_texts(part))
        elif isinstance(part, Ran):
            row["worker"] = part.worker
            row["reason"] = _clean(part.reason) or row["reason"]
        elif isinstance(part, Acted) and part.state != "DONE":
            row["reason"] = _clean(f"{part.action}: {part.words or part.state.lower()}")

    def _hear(self, part: Heard) -> None:
        if not part.kind.startswith("message") or not is_event_id(part.id):
            return
        # Copies of one message have ids of their own, and are one message.
        key = f"{part.bot} {part.t} {part.message_id}" if part.copy else part.id
        row = {**_line(key, part.t, part.text), "event_id": part.id, "direction": "in", "bot": part.bot}
        row |= {"conv": part.conv, "user_id": part.user, "group_id": part.group}
        row |= {"message_id": part.message_id, "state": part.reason or "passed"}
        self._messages[key] = _cleaned(row)

    def _say(self, part: Acted) -> None:
        if not part.conv:
            return
        kind, _, whom = part.conv.partition(":")
        row = {**_line(part.aid, part.queued, part.text), "event_id": part.id, "direction": "out", "bot": part.bot}
        row |= {"conv": part.conv, "user_id": whom if kind == "private" else ""}
        row |= {"group_id": whom if kind == "group" else "", "message_id": part.message_id}
        self._messages[part.aid] = _cleaned({**row, "state": part.state.lower()})


def outcome_after(part: Part) -> Outcome:
    """What one report says of the end."""
    match part:
        case Heard():
            return Outcome.BLOCKED if part.reason else Outcome.UNDER_WAY
        case Repeated():
            return Outcome.DUPLICATE
        case Ran(outcome="dead"):
            return Outcome.FAILED
        case Ran(outcome="retry"):
            return Outcome.UNDER_WAY
        case Ran():
            return Outcome.ANSWERED if part.actions else Outcome.SILENT
        case Acted(state="DONE"):
            return Outcome.ANSWERED
        case Acted():
            return Outcome.FAILED


def named(part: Part) -> dict[str, Any]:
    """The part under its name, storable as JSON."""
    match part:
        case Heard():
            name = f"heard {part.lane}".rstrip()
        case Repeated():
            name = "repeated"
        case Ran():
            name = f"ran {part.worker} {part.started}"
        case Acted():
            name = f"acted {part.aid}"
    # NUL can't be stored, not even as an escape inside JSON.
    text = msgspec.json.encode(part).decode().replace("\\u0000", "\\ufffd")
    return {_clean(name): json.loads(text)}


def _empty(event_id: str) -> Row:
    at = datetime.fromtimestamp(second_of(event_id), UTC)
    texts = dict.fromkeys(_TEXTS, "")
    return {"event_id": event_id, "at": at, **texts, "outcome": Outcome.UNDER_WAY, "parts": {}}


def _texts(part: Heard) -> Row:
    kind, _, where = part.conv.partition(":")
    group = part.group or (where if kind == "group" else "")
    texts = {"bot": part.bot, "conv": part.conv, "user_id": part.user, "group_id": group, "kind": part.kind}
    known = {"text": part.text, "rule": part.rule, "reason": part.reason}
    return _cleaned({name: value for name, value in {**texts, **known}.items() if value})


def _line(key: str, at: int, text: str) -> Row:
    return {"id": key, "at": moment(at), "text": text, "grams": grams(text)}


def _cleaned(row: Row) -> Row:
    return {name: _clean(value) if isinstance(value, str) else value for name, value in row.items()}


def _clean(value: str) -> str:
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}")[:1000]

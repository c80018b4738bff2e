"""The protocol with plugins of any language, without any I/O: lines to send, and lines that came.

One JSON object a line. To the plugin: `{id, type: event|request|response, name, correlation_id?, payload}`. From it:
`{id, ok, actions, error?, more?}`, where `more` says that further lines follow for the same id. A line that does not
begin with `{` is the plugin's log. docs/plugins-any-language.md is the description for authors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import msgspec

from botmatrix.skills.told import ToldSkill

LONGEST = 1 << 20
"""Bytes of one line, in both directions."""
MOST_ACTIONS = 100
"""Actions in answer to one event."""

_encode = msgspec.json.Encoder(enc_hook=str).encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_KNOWN = ("type", "target", "target_id", "text", "correlation_id", "payload")


class BadLine(Exception):
    """A line that is no answer; `reason` is short and a counter's label."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Action(msgspec.Struct):
    """What a plugin wants done. `params`: its payload, and whatever else was written beside it."""

    type: str
    target: str
    target_id: str
    text: str
    correlation_id: str
    params: dict[str, Any]


class Answer(msgspec.Struct):
    """What a plugin said to one message. With `more` it will say more; `retry_after` (s): not now, but then."""

    id: str
    ok: bool
    actions: list[Action]
    error: str
    more: bool
    retry_after: float = 0


class Call(msgspec.Struct):
    """What a Python plugin's SDK wants of its worker outside of any event; it is answered with a `response`."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    payload: msgspec.Raw


class Command(msgspec.Struct):
    """One command of it, for listings."""

    name: str
    aliases: tuple[str, ...]
    usage: str
    description: str
    permission: int


class ToldCron(msgspec.Struct):
    """One function of it that the clock starts. `timeout`: seconds."""

    name: Annotated[str, msgspec.Meta(pattern=r"^\w{1,64}$")]
    expression: Annotated[str, msgspec.Meta(max_length=200)]
    tz: Annotated[str, msgspec.Meta(max_length=64)]
    timeout: Annotated[float, msgspec.Meta(gt=0, le=86_400)]


class Hello(msgspec.Struct):
    """What a Python plugin in a process of its own says of itself before anything else. `timeout`: seconds.

    `history`: it reads histories. `settings`: JSON Schema of its settings, if it has some; `unfit`: those that it was
    given are the error.
    """

    id: str
    name: str
    version: str
    description: str
    events: list[str]
    timeout: Annotated[float, msgspec.Meta(gt=0)] = 60.0
    commands: Annotated[list[Command], msgspec.Meta(max_length=1000)] = []
    error: str = ""
    history: bool = False
    skills: Annotated[list[ToldSkill], msgspec.Meta(max_length=200)] = []
    settings: dict[str, Any] | None = None
    unfit: bool = False
    crons: Annotated[list[ToldCron], msgspec.Meta(max_length=100)] = []


def message(kind: str, id: str, name: str, payload: Mapping[str, Any], correlation_id: str = "") -> bytes:
    """A line for the plugin. Raises `BadLine` (`too_long`)."""
    body: dict[str, Any] = {"id": id, "type": kind, "name": name}
    if correlation_id:
        body["correlation_id"] = correlation_id
    body["payload"] = payload
    line = bytes(_encode(body)) + b"\n"
    if len(line) > LONGEST:
        raise BadLine("too_long")
    return line


def read(line: bytes) -> Answer | Hello | Call:
    """A line of the plugin that begins with `{`. Raises `BadLine`."""
    try:
        found = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadLine("no_json") from None
    if found.get("type") == "hello":
        return _hello(found)
    if found.get("type") == "call":
        return _call(line)
    id, ok, actions, error = found.get("id"), found.get("ok"), found.get("actions"), found.get("error")
    if type(id) is not str or type(ok) is not bool or len(id) > 200:
        raise BadLine("no_answer")
    if actions is not None and type(actions) is not list:
        raise BadLine("no_answer")
    read_actions = [_action(action) for action in (actions or ())[: MOST_ACTIONS + 1]]
    after = found.get("retry_after")
    return Answer(
        *(id, ok, read_actions, error if type(error) is str else "", found.get("more") is True),
        retry_after=after if isinstance(after, int | float) and 0 < after < 1e6 else 0,
    )


def _action(found: Any) -> Action:
    if type(found) is not dict or type(found.get("type")) is not str or not found["type"]:
        raise BadLine("no_action")
    payload = found.get("payload")
    if payload is not None and type(payload) is not dict:
        raise BadLine("no_action")
    params = {**(payload or {}), **{key: value for key, value in found.items() if key not in _KNOWN}}
    correlation = found.get("correlation_id") or params.get("correlation_id")
    params.pop("correlation_id", None)
    text = found.get("text")
    return Action(
        *(found["type"], _text(found.get("target")), _text(found.get("target_id"))),
        *(_text(text if text is not None else params.get("text")), _text(correlation)[:200], params),
    )


def _hello(found: dict[str, Any]) -> Hello:
    try:
        return msgspec.convert(found, Hello)
    except msgspec.ValidationError:
        raise BadLine("no_hello") from None


def _call(line: bytes) -> Call:
    try:
        return msgspec.json.decode(line, type=Call)
    except msgspec.ValidationError:
        raise BadLine("no_answer") from None


def _text(value: Any) -> str:
    if value is None:
        return ""
    if type(value) is str:
        return value
    if type(value) in (int, float, bool):
        return str(value)
    raise BadLine("no_action")


class Splitter:
    """Lines from chunks of bytes. What is longer than `longest` is thrown away up to its end, and counted."""

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._parts: list[bytes] = []
        self._size = 0
        self.skipping = False
        self.too_long = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The lines that are whole now, without their ends. Each is looked for in its turn."""
        began = 0
        while (end := chunk.find(b"\n", began)) >= 0:
            line = self._end(chunk[began:end])
            began = end + 1
            yield line
        self._keep(chunk[began:])

    def _end(self, part: bytes) -> bytes:
        if not self._size and not self.skipping and len(part) <= self._longest:
            return part.strip()
        self._keep(part)
        line = b"" if self.skipping else b"".join(self._parts).strip()
        self._parts.clear()
        self._size, self.skipping = 0, False
        return line

    def _keep(self, part: bytes) -> None:
        if not part or self.skipping:
            return
        self._size += len(part)
        if self._size > self._longest:
            self.skipping = True
            self.too_long += 1
            self._parts.clear()
        else:
            self._parts.append(part)

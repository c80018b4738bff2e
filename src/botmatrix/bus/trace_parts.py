"""What the parts of the matrix report about one event: small records that are joined by its id.

Each is one JSON object; `part` says which of these it is. Times are ms of unix time. docs/trace.md has them all.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from botmatrix.bus.envelope import Envelope
from botmatrix.onebot.plain import plain

READABLE: Final = 64 * 1024
"""Bytes of an event whose text is read; a longer one is recorded without it."""
_DETAILS: Final = ("message_type", "notice_type", "request_type")


class Heard(msgspec.Struct, tag="heard", tag_field="part", omit_defaults=True, gc=False):
    """A nexus received an event at `t` and decided at `at`.

    With a `reason` it ended there (`detail`: what exactly met it); else it was put on `lane`, by `rule` if one matched.
    `kind`: `message.group`. `copy`: each target of its rule gets one, under an id of its
    own.
    """

    id: str
    t: int
    bot: str
    conv: str
    nexus: str
    at: int
    kind: str = ""
    user: str = ""
    group: str = ""
    message_id: str = ""
    text: str = ""
    lane: str = ""
    rule: str = ""
    reason: str = ""
    detail: str = ""
    copy: bool = False


class Repeated(msgspec.Struct, tag="repeated", tag_field="part", gc=False):
    """The platform had sent the same event before: it went no further."""

    id: str
    at: int


class Step(NamedTuple):
    """One handler, `plugin.handler`: how long it took (ms) and how it ended: `answered`, `silent`, `retry`, or why
    it failed.
    """

    handler: str
    took: float
    ended: str


class Ran(msgspec.Struct, tag="ran", tag_field="part", omit_defaults=True, gc=False):
    """A worker handled an event. `outcome`: `done`, `retry` or `dead`, the latter two with a `reason`.

    `actions`: how many leave with the acknowledgement. `quiet`: why no handler ran (`own`, `permission`, `plugin_off`,
    `no_match`, `answer`: it went to a handler that had asked; of a socket worker `silent`, `lost_on_close`).
    """

    id: str
    t: int
    worker: str
    lane: str
    started: int
    ended: int
    outcome: str
    reason: str = ""
    quiet: str = ""
    steps: list[Step] = []
    actions: int = 0


class Acted(msgspec.Struct, tag="acted", tag_field="part", omit_defaults=True, gc=False):
    """A nexus brought an action to its bot, or could not. `id`: the event it answers, or empty.

    `sent` is 0 when it never was. `conv` and `text`: for what says something, where and what. `message_id`: the
    platform's own.
    """

    id: str
    aid: str
    bot: str
    action: str
    queued: int
    sent: int
    ended: int
    state: str
    code: int = 0
    words: str = ""
    conv: str = ""
    text: str = ""
    message_id: str = ""


Part = Heard | Repeated | Ran | Acted

_encode = msgspec.json.Encoder().encode
_parts = msgspec.json.Decoder(list[Part])


class _Body(msgspec.Struct, gc=False):
    """What a record needs of an event, whatever types the bot gives it."""

    post_type: Any = ""
    message_type: Any = ""
    notice_type: Any = ""
    request_type: Any = ""
    user_id: Any = ""
    group_id: Any = ""
    message_id: Any = ""
    message: Any = None
    raw_message: Any = None


_body = msgspec.json.Decoder(_Body)


def encode(part: Part) -> bytes:
    """One part as JSON."""
    return _encode(part)


def decode(payload: bytes) -> list[Part]:
    """The parts of one entry of the stream; nothing of what can't be read."""
    try:
        return _parts.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []


def heard(envelope: Envelope, at: int, lane: str = "", rule: str = "", **more: Any) -> Heard:
    """The record of an event, from its envelope; `more`: other fields of it."""
    part = Heard(envelope.id, envelope.t, envelope.bot, envelope.conv, envelope.nexus, at, lane=lane, rule=rule, **more)
    if memoryview(envelope.event).nbytes <= READABLE:
        _describe(part, bytes(envelope.event))
    return part


def _describe(part: Heard, raw: bytes) -> None:
    try:
        body = _body.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    detail = next((word for name in _DETAILS if (word := _text(getattr(body, name)))), "")
    part.kind = ".".join(word for word in (_text(body.post_type), detail) if word)
    part.user, part.group, part.message_id = _text(body.user_id), _text(body.group_id), _text(body.message_id)
    part.group = "" if part.group == "0" else part.group
    part.text = plain(body.message if body.message is not None else body.raw_message)


def _text(value: Any) -> str:
    return str(value)[:128] if isinstance(value, str | int) and not isinstance(value, bool) else ""

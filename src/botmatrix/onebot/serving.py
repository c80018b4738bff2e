"""The other side of OneBot v11: the hub as the implementation that an application talks to.

Frames in, values out; nothing here waits or knows a socket. What an application may count on is in
docs/applications.md: its echo comes back as it was written, each call gets one answer at most, and one without an
echo gets none.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from botmatrix.errors import BadFrame
from botmatrix.onebot.action import NULL, ActionResponse
from botmatrix.onebot.ids import INT64_MAX
from botmatrix.onebot.lenient import mend_surrogates
from botmatrix.onebot.message import Message

MAX_ECHO: Final = 4096
"""Bytes of an echo: any JSON, but not a store of data."""

BAD_REQUEST: Final = 1400
NO_ANSWER: Final = 1401
NO_BOT: Final = 1404
"""Retcodes of the hub's own failures: the call makes no sense or can't be forwarded to the bot now, the bot did not
answer, there is no such bot."""


class Call(Struct, gc=False, frozen=True):
    """An application asks its bot for an action.

    `params`: a JSON object. `echo`: JSON of any type as the application wrote it, empty when it wants no answer.
    """

    action: str
    params: bytes
    echo: bytes


class _CallFrame(Struct, gc=False):
    action: Any = None
    params: Raw = NULL
    echo: Raw = NULL


_decode_call = msgspec.json.Decoder(_CallFrame).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.encode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_call(payload: bytes) -> Call:
    """Read one frame of an application. Raises `BadFrame` (`bad_utf8`, `bad_json`, `bad_echo`); a call without an
    action's name has `""`, one whose params are no object has `b""`: both are answered with a failure.
    """
    frame = _decode(payload)
    if len(frame.echo) > MAX_ECHO:
        raise BadFrame("bad_echo")
    action = frame.action if isinstance(frame.action, str) else ""
    params, echo = bytes(frame.params), bytes(frame.echo)
    if params == b"null":
        params = b"{}"
    return Call(action, params if params[:1] == b"{" else b"", b"" if echo == b"null" else echo)


def answer_frame(response: ActionResponse, echo: bytes) -> bytes:
    """The bot's whole answer with the application's echo in it, and with every field that applications rely on."""
    fields = _whole(response)
    fields["echo"] = Raw(echo)
    return _encode(fields)


def answer_body(response: ActionResponse) -> bytes:
    """The same as the body of an HTTP answer: there is no echo."""
    fields = _whole(response)
    fields.pop("echo", None)
    return _encode(fields)


def _whole(response: ActionResponse) -> dict[str, Raw]:
    fields = _decode_fields(response.raw)
    fields["retcode"] = Raw(_encode(response.retcode))
    fields["status"] = Raw(_encode(response.status))
    fields.setdefault("data", NULL)
    for name in ("message", "wording"):
        fields.setdefault(name, Raw(b'""'))
    return fields


def failure_frame(retcode: int, words: str, echo: bytes) -> bytes:
    """The hub's own answer when the bot can't give one, in the shape of a bot's."""
    quoted = _encode(words)
    shape = b'{"status":"failed","retcode":%d,"data":null,"message":%b,"wording":%b,"echo":%b}'
    return shape % (retcode, quoted, quoted, echo)


def failure_body(retcode: int, words: str) -> bytes:
    """The same as the body of an HTTP answer: there is no echo."""
    quoted = _encode(words)
    shape = b'{"status":"failed","retcode":%d,"data":null,"message":%b,"wording":%b}'
    return shape % (retcode, quoted, quoted)


def lifecycle_frame(self_id: str, now: float) -> bytes:
    """The first frame of every link: some applications throw away all events before it."""
    shape = b'{"time":%d,"self_id":%b,"post_type":"meta_event","meta_event_type":"lifecycle","sub_type":"connect"}'
    return shape % (now, self_id_json(self_id))


def heartbeat_frame(self_id: str, now: float, *, online: bool, good: bool, interval: float) -> bytes:
    """A heartbeat of the hub's own, for a bot that sends none. `interval`: seconds to the next one."""
    head = b'{"time":%d,"self_id":%b,"post_type":"meta_event","meta_event_type":"heartbeat",'
    tail = b'"status":{"online":%b,"good":%b},"interval":%d}'
    return head % (now, self_id_json(self_id)) + tail % (_encode(online), _encode(good), interval * 1000)


def self_id_json(self_id: str) -> bytes:
    """The id as OneBot v11 has it: a number, where it is one."""
    return self_id.encode() if is_number(self_id) else _encode(self_id)


def is_number(self_id: str) -> bool:
    """Whether the id is a number of 64 bits, written as numbers are."""
    try:
        return self_id.isascii() and str(number := int(self_id)) == self_id and abs(number) <= INT64_MAX
    except ValueError:
        return False


def with_array_message(raw: bytes) -> bytes:
    """The event with its message as an array of segments; as it is when it has none, or has an array already."""
    fields = _decode_fields(raw)
    message = fields.get("message")
    if message is None or bytes(message)[:1] != b'"':
        return raw
    fields["message"] = Raw(_encode(Message.cq(msgspec.json.decode(message)).to_array()))
    return _encode(fields)


def _decode(payload: bytes) -> _CallFrame:
    try:
        if not payload.isascii():
            payload.decode()
        return _decode_call(payload)
    except _UNREADABLE as error:
        mended = mend_surrogates(payload)
        if mended != payload:
            return _decode(mended)
        raise BadFrame("bad_utf8" if isinstance(error, UnicodeDecodeError) else "bad_json") from None

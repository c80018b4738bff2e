"""One link's conversation with a bot: frames in, values out. Nothing here waits or knows a socket."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Raw, Struct

from botmatrix.errors import BadFrame
from botmatrix.onebot.action import BAD_RETCODE, NULL, ActionResponse
from botmatrix.onebot.event import Event
from botmatrix.onebot.ids import INT64_MAX, INT64_MIN, group_id_text, id_text
from botmatrix.onebot.lenient import load_object, mend_surrogates, read_event
from botmatrix.onebot.v11 import DETAIL_FIELD, META_EVENT, NOT_EVENTS


class Answer(Struct, gc=False):
    """An answer to the action that was sent with this echo."""

    echo: str
    response: ActionResponse


class Ignored(Struct, gc=False):
    """A frame that is no event and answers nothing. `reason` is a counter label."""

    reason: str


_Int64 = Annotated[int, Meta(ge=INT64_MIN, le=INT64_MAX)]
_Id = _Int64 | str | None


class _EventFrame(Struct, gc=False):
    """The fields of an event that are read; of all others only the grammar is checked."""

    post_type: str = ""
    message_type: str = ""
    notice_type: str = ""
    request_type: str = ""
    meta_event_type: str = ""
    sub_type: str = ""
    self_id: _Id = None
    user_id: _Id = None
    group_id: _Id = None
    message_id: _Id = None
    time: _Int64 = 0


class _AnswerFrame(Struct, gc=False):
    """An answer, of whatever types; `type` is there for clients that send meta events without a post type."""

    echo: Any = None
    status: Any = None
    retcode: Any = None
    data: Raw = NULL
    message: Any = None
    msg: Any = None
    wording: Any = None
    stream: Any = None
    type: Any = None


_decode_event = msgspec.json.Decoder(_EventFrame).decode
_decode_answer = msgspec.json.Decoder(_AnswerFrame).decode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_MISMATCH: Final = Ignored("self_id_mismatch")
_UNKNOWN_POST_TYPE: Final = Ignored("unknown_post_type")
_NO_ECHO: Final = Ignored("answer_without_echo")
_BAD_ECHO: Final = Ignored("answer_bad_echo")
_STREAM_PART: Final = Ignored("answer_stream_part")


class Session:
    """Reads the frames of one link and numbers its actions.

    `self_id` is the bot that the link belongs to, `""` until it is known: once set, an event of any other
    bot is ignored. `prefix` starts each echo of this link and should be random, so that no other link's
    echo is taken for one of its own. `repaired` counts frames in which halves of surrogate pairs were
    replaced by U+FFFD.
    """

    __slots__ = ("_issued", "prefix", "repaired", "self_id")

    def __init__(self, self_id: str, prefix: str) -> None:
        self.self_id = self_id
        self.prefix = prefix
        self.repaired = 0
        self._issued = 0

    def next_echo(self) -> str:
        """The echo of the next action: short, opaque, never used twice on this link."""
        self._issued += 1
        return f"{self.prefix}{self._issued:x}"

    def has_issued(self, echo: str) -> bool:
        """Whether this echo was sent on this link before: its answer comes late, or twice."""
        number = echo.removeprefix(self.prefix)
        try:
            return number != echo and 0 < int(number, 16) <= self._issued
        except ValueError:
            return False

    def receive(self, payload: bytes) -> Event | Answer | Ignored:
        """Read one frame (the bytes of a whole message). Raises `BadFrame`; never anything else."""
        try:
            frame = _decode_event(payload)
            if not payload.isascii():
                payload.decode()  # fields that are skipped are not checked by the decoder
        except _UNREADABLE:
            return self._receive_carefully(payload)
        post_type = frame.post_type
        if post_type == "message" or post_type == "message_sent":
            detail_type = frame.message_type
        elif not post_type:
            return self._receive_other(payload)
        elif post_type in DETAIL_FIELD:
            detail_type = getattr(frame, DETAIL_FIELD[post_type])
        else:
            return Ignored(post_type) if post_type in NOT_EVENTS else _UNKNOWN_POST_TYPE
        self_id, user_id, group_id, message_id = (
            frame.self_id,
            frame.user_id,
            frame.group_id,
            frame.message_id,
        )
        event = Event(
            post_type,
            detail_type,
            frame.sub_type,
            f"{self_id}" if type(self_id) is int else id_text(self_id),
            f"{user_id}" if type(user_id) is int else id_text(user_id),
            f"{group_id or ''}" if type(group_id) is int else group_id_text(group_id),
            f"{message_id}" if type(message_id) is int else id_text(message_id),
            frame.time,
            payload,
        )
        return event if event.self_id == self.self_id else self._of_this_bot(event)

    def _of_this_bot(self, event: Event) -> Event | Ignored:
        return event if not (self.self_id and event.self_id) or event.self_id == self.self_id else _MISMATCH

    def _receive_other(self, payload: bytes) -> Event | Answer | Ignored:
        """A frame without a post type."""
        try:
            frame = _decode_answer(payload)
        except _UNREADABLE:
            raise BadFrame("bad_json") from None
        if frame.echo is None and frame.status is None and frame.retcode is None:
            if frame.type != META_EVENT:
                raise BadFrame("not_onebot")
            return self._of_this_bot(read_event(load_object(payload), META_EVENT, payload))
        return _answer(frame, payload)

    def _receive_carefully(self, payload: bytes) -> Event | Answer | Ignored:
        """A frame that has fields of unusual types, or is broken: says what is wrong with it."""
        mended = mend_surrogates(payload)
        if mended != payload:
            item = self.receive(mended)
            self.repaired += 1
            return item
        frame = load_object(payload)
        post_type = frame.get("post_type")
        if post_type is None or post_type == "":
            return self._receive_other(payload)
        if not isinstance(post_type, str):
            raise BadFrame("bad_post_type")
        if post_type not in DETAIL_FIELD:
            return Ignored(post_type) if post_type in NOT_EVENTS else _UNKNOWN_POST_TYPE
        return self._of_this_bot(read_event(frame, post_type, payload))


def _answer(frame: _AnswerFrame, payload: bytes) -> Answer | Ignored:
    if frame.echo is None or frame.echo == "":
        return _NO_ECHO
    if not isinstance(frame.echo, str):
        return _BAD_ECHO
    if frame.stream == "stream-action" and _is_stream_part(frame.data):
        return _STREAM_PART
    status = frame.status if isinstance(frame.status, str) else ""
    retcode = frame.retcode if type(frame.retcode) is int else 0 if status in ("ok", "async") else BAD_RETCODE
    status = status or ("ok" if retcode == 0 else "failed")
    message = frame.message if isinstance(frame.message, str) else frame.msg
    return Answer(
        frame.echo,
        ActionResponse(
            status,
            retcode,
            frame.data,
            message if isinstance(message, str) else "",
            frame.wording if isinstance(frame.wording, str) else "",
            payload,
        ),
    )


def _is_stream_part(data: Raw) -> bool:
    """Whether more frames with this echo follow: only the last one (`response`, `error`) is the answer."""
    try:
        part = msgspec.json.decode(data)
    except _UNREADABLE:
        return False
    return isinstance(part, dict) and part.get("type") in ("stream", "reset")

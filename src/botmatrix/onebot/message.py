"""Messages: immutable sequences of segments, with both wire forms of OneBot v11.

A plain string is text, whatever it contains: only `Message.cq` and `Message.parse` (for what a bot sent) read
CQ codes. So nothing a user says can turn into an `@all` or a local file on its way back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

from botmatrix.onebot import cq
from botmatrix.onebot.segment import (
    At,
    Face,
    File,
    Forward,
    Image,
    Json,
    Media,
    Node,
    Raw,
    Record,
    Reply,
    Segment,
    Text,
    Video,
)

__all__ = [
    "At",
    "Face",
    "File",
    "Forward",
    "Image",
    "Json",
    "Media",
    "Message",
    "Node",
    "Raw",
    "Record",
    "Reply",
    "Segment",
    "Sendable",
    "Text",
    "Video",
]


_set = object.__setattr__


class Message(Sequence[Segment]):
    """`Message("hi ", At(123))`: segments in order. Compare with `==`, add with `+`; `str()` is CQ."""

    __slots__ = ("_segments",)
    _segments: tuple[Segment, ...]

    def __init__(self, *parts: Sendable) -> None:
        """Strings become text as they stand; messages are laid out flat; empty strings vanish."""
        _set(self, "_segments", tuple(_flat(parts)))

    @classmethod
    def parse(cls, message: object) -> Message:
        """The `message` of an event: an array of segments, one segment, or a CQ string.

        Never raises: strings in an array are text, data that is no object counts as empty, anything else that
        is no segment is left out.
        """
        if isinstance(message, str):
            return cls.cq(message)
        if isinstance(message, dict):
            message = [message]
        return cls._of(_segments(message)) if isinstance(message, list) else cls._of(())

    @classmethod
    def cq(cls, text: str) -> Message:
        """A message written with CQ codes. Never give it what a user said without `escape`."""
        return cls._of(Segment.of(kind, data) for kind, data in cq.read(text))

    @classmethod
    def beginning(cls, text: str, tail: Iterable[Segment]) -> Message:
        """A text, if there is any, and segments after it."""
        return cls._of((Segment.of("text", {"text": text}), *tail) if text else tail)

    @classmethod
    def _of(cls, segments: Iterable[Segment]) -> Message:
        message = cls.__new__(cls)
        _set(message, "_segments", tuple(segments))
        return message

    @property
    def text(self) -> str:
        """All its plain text."""
        return "".join([part.text for part in self._segments if isinstance(part, Text)])

    def to_array(self) -> list[dict[str, Any]]:
        """`[{"type": ..., "data": {...}}, ...]`, a copy."""
        return [{"type": segment.type, "data": segment._data.copy()} for segment in self._segments]

    def to_cq(self) -> str:
        """The CQ string. What `parse` read from one is written back the same."""
        return cq.write((segment.type, segment._data) for segment in self._segments)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("messages are immutable")

    __delattr__ = None  # type: ignore[assignment]

    @overload
    def __getitem__(self, index: int) -> Segment: ...
    @overload
    def __getitem__(self, index: slice) -> Message: ...
    def __getitem__(self, index: int | slice) -> Segment | Message:
        found = self._segments[index]
        return found if isinstance(found, Segment) else self._of(found)

    def __len__(self) -> int:
        return len(self._segments)

    def __iter__(self) -> Iterator[Segment]:
        return iter(self._segments)

    def __add__(self, other: Sendable) -> Message:
        return Message(self, other)

    def __radd__(self, other: str | Segment) -> Message:
        return Message(other, self)

    def __eq__(self, other: object) -> bool:
        return self._segments == other._segments if isinstance(other, Message) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._segments)

    def __str__(self) -> str:
        return self.to_cq()

    def __repr__(self) -> str:
        return f"Message({', '.join(map(repr, self._segments))})"


Sendable = str | Segment | Message
"""What can be said: plain text, a segment, a message."""


def _flat(parts: Iterable[Sendable]) -> Iterator[Segment]:
    for part in parts:
        if isinstance(part, Segment):
            yield part
        elif isinstance(part, str):
            if part:
                yield Text(part)
        elif isinstance(part, Message):
            yield from part
        else:
            raise TypeError(f"a message is made of str, Segment and Message, not {type(part).__name__}")


def _segments(items: list[Any]) -> Iterator[Segment]:
    for item in items:
        if isinstance(item, str):
            yield Text(item)
        elif isinstance(item, dict) and isinstance(item.get("type"), str):
            data = item.get("data")
            yield Segment.of(item["type"], data if isinstance(data, dict) else {})

"""Segments: the pieces of a message, immutable, `{type, data}` on the wire.

A type that has no class here is a `Raw`. Values stay as they came (numbers, strings), so what is read and
written again is the same.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from botmatrix.onebot import cq

if TYPE_CHECKING:
    from botmatrix.onebot.message import Message, Sendable

_set = object.__setattr__

Source = str | bytes | Path
"""Media: a URL or file name that the bot knows (`str`), the bytes themselves, or a path to read them from."""


class Segment:
    """One piece of a message. Compare with `==`, add with `+`; `str()` is the CQ form."""

    __slots__ = ("_data", "type")
    type: str
    _data: dict[str, Any]

    kind: ClassVar[str] = ""

    def __init__(self, type: str, data: Mapping[str, Any] | None = None) -> None:
        _set(self, "type", type)
        _set(self, "_data", dict(data or {}))

    def __init_subclass__(cls) -> None:
        if cls.kind:
            _CLASSES[cls.kind] = cls

    @staticmethod
    def of(type: str, data: dict[str, Any]) -> Segment:
        """The segment of this type, in its own class; `data` is taken over, not copied."""
        cls = _CLASSES.get(type, Raw)
        segment = cls.__new__(cls)
        _set(segment, "type", type)
        _set(segment, "_data", data)
        return segment

    @property
    def data(self) -> Mapping[str, Any]:
        """What the segment says, read-only."""
        return MappingProxyType(self._data)

    def to_dict(self) -> dict[str, Any]:
        """`{"type": ..., "data": {...}}`, a copy."""
        return {"type": self.type, "data": dict(self._data)}

    def _get(self, *names: str) -> str:
        """The first of these values that is there, as text; empty when none is."""
        for name in names:
            value = self._data.get(name)
            if value is not None:
                return str(value)
        return ""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("segments are immutable")

    __delattr__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Segment):
            return NotImplemented
        return self.type == other.type and self._data == other._data

    def __hash__(self) -> int:
        return hash((self.type, *sorted(self._data)))

    def __str__(self) -> str:
        return cq.write([(self.type, self._data)])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.type}, {self._data})"

    def __add__(self, other: Sendable) -> Message:
        from botmatrix.onebot.message import Message

        return Message(self, other)

    def __radd__(self, other: str) -> Message:
        from botmatrix.onebot.message import Message

        return Message(other, self)


_CLASSES: dict[str, type[Segment]] = {}


class Text(Segment):
    """Plain text; never read as a CQ code."""

    __slots__ = ()
    kind = "text"

    def __init__(self, text: str) -> None:
        super().__init__("text", {"text": text})

    @property
    def text(self) -> str:
        return self._get("text")


class At(Segment):
    """`@` somebody, by id; `At("all")` is everybody."""

    __slots__ = ()
    kind = "at"

    def __init__(self, user_id: str | int) -> None:
        super().__init__("at", {"qq": str(user_id)})

    @property
    def user_id(self) -> str:
        return self._get("qq")


class Face(Segment):
    """One of the platform's own emoticons."""

    __slots__ = ()
    kind = "face"

    def __init__(self, id: str | int) -> None:
        super().__init__("face", {"id": str(id)})

    @property
    def id(self) -> str:
        return self._get("id")


class Media(Segment):
    """Base of what carries a file. Bytes travel as base64, or through the hub's media store; a path is read at once."""

    __slots__ = ()

    def __init__(self, file: Source, **data: Any) -> None:
        super().__init__(self.kind, {"file": media(file), **data})

    @property
    def file(self) -> str:
        return self._get("file")

    @property
    def url(self) -> str:
        """Where it can be fetched; of received media."""
        return self._get("url")


class Image(Media):
    """A picture."""

    __slots__ = ()
    kind = "image"


class Record(Media):
    """A voice message."""

    __slots__ = ()
    kind = "record"


class Video(Media):
    """A short video."""

    __slots__ = ()
    kind = "video"


class File(Media):
    """A file, with a name."""

    __slots__ = ()
    kind = "file"


class Reply(Segment):
    """Quotes a message, by its id."""

    __slots__ = ()
    kind = "reply"

    def __init__(self, id: str | int) -> None:
        super().__init__("reply", {"id": str(id)})

    @property
    def id(self) -> str:
        return self._get("id")

    @property
    def author(self) -> str:
        """Who said what is quoted; empty where the platform does not tell."""
        return self._get("qq", "user_id")


class Forward(Segment):
    """A bundle of forwarded messages, by its id."""

    __slots__ = ()
    kind = "forward"

    def __init__(self, id: str) -> None:
        super().__init__("forward", {"id": id})

    @property
    def id(self) -> str:
        return self._get("id")


class Node(Segment):
    """One message of a bundle to be forwarded: who said it, and what."""

    __slots__ = ()
    kind = "node"

    def __init__(self, user_id: str | int, nickname: str, content: Sendable) -> None:
        from botmatrix.onebot.message import Message

        said = Message(content).to_array()
        super().__init__("node", {"user_id": str(user_id), "nickname": nickname, "content": said})

    @property
    def user_id(self) -> str:
        return self._get("user_id", "uin")

    @property
    def nickname(self) -> str:
        return self._get("nickname", "name")

    @property
    def content(self) -> Message:
        from botmatrix.onebot.message import Message

        return Message.parse(self._data.get("content"))


class Json(Segment):
    """A card. What is no text is written as JSON."""

    __slots__ = ()
    kind = "json"

    def __init__(self, data: Any) -> None:
        text = data if isinstance(data, str) else msgspec.json.encode(data).decode()
        super().__init__("json", {"data": text})


class Raw(Segment):
    """Any other segment: `Raw("dice")`, `Raw("share", {"url": ..., "title": ...})`."""

    __slots__ = ()


def media(file: Source) -> str:
    """The `file` of a media segment."""
    if isinstance(file, Path):
        file = file.read_bytes()
    if isinstance(file, bytes):
        return "base64://" + base64.b64encode(file).decode()
    return file

"""CQ codes: `[CQ:at,qq=123]`, the string form of a OneBot v11 message.

Reading is linear: a value may hold `[`, so a code that fails is left behind up to where it failed (whatever
starts inside it meets the same fault), and quantifiers are possessive. What counts as a code is what NoneBot2
and aiocqhttp read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

MAX_CODES = 2_000
MAX_PARAMS = 20_000

Pair = tuple[str, dict[str, Any]]
"""Type and data of one segment."""

_NAME = r"[A-Za-z0-9_.\-]++"
_CODE = re.compile(rf"\[CQ:({_NAME})((?:,{_NAME}=[^,\]]*+)*+)(,?\])?+")
_PARAM = re.compile(rf",({_NAME})=([^,\]]*+)")


def escape(text: str) -> str:
    """Text as it stands between codes: `&`, `[` and `]` are written as entities."""
    if "&" in text:
        text = text.replace("&", "&amp;")
    return text.replace("[", "&#91;").replace("]", "&#93;")


def unescape(text: str) -> str:
    """The text that `escape` and `escape_value` wrote."""
    if "&" not in text:
        return text
    text = text.replace("&#44;", ",").replace("&#91;", "[").replace("&#93;", "]")
    return text.replace("&amp;", "&")


def escape_value(text: str) -> str:
    """A name or value inside a code: the comma too is written as an entity."""
    return escape(text).replace(",", "&#44;")


def read(text: str) -> list[Pair]:
    """The segments of a CQ string; all values are strings.

    What is no well-formed code is text. With more than `MAX_CODES` codes (well-formed or not) or segments, or
    more than `MAX_PARAMS` parameters, nothing is read: the whole, as it stands, is one text.
    """
    if "[CQ:" not in text:
        return [_text(text)] if text else []
    segments: list[Pair] = []
    end = params = 0
    for count, code in enumerate(_CODE.finditer(text)):
        params += code[2].count("=")
        if count >= MAX_CODES or len(segments) > MAX_CODES or params > MAX_PARAMS:
            return [_text_verbatim(text)]
        if code[3] is None:
            continue
        if end < code.start():
            segments.append(_text(text[end : code.start()]))
        segments.append((code[1], _params(code[2])))
        end = code.end()
    if end < len(text):
        segments.append(_text(text[end:]))
    return segments if len(segments) <= MAX_CODES else [_text_verbatim(text)]


def write(segments: Iterable[Pair]) -> str:
    """The CQ string of segments."""
    return "".join(_written(segments))


def _written(segments: Iterable[Pair]) -> Iterator[str]:
    for kind, data in segments:
        if kind == "text" and data.keys() <= {"text"}:
            yield escape(_plain(data.get("text")))
        else:
            yield f"[CQ:{escape_value(kind)}{''.join(_written_params(data))}]"


def _written_params(data: Mapping[str, Any]) -> Iterator[str]:
    for name, value in data.items():
        if value is not None:
            yield f",{escape_value(name)}={escape_value(_plain(value))}"


def _plain(value: Any) -> str:
    """A value of a segment as a CQ code can hold it; what has a structure becomes JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _text(text: str) -> Pair:
    return "text", {"text": unescape(text)}


def _text_verbatim(text: str) -> Pair:
    return "text", {"text": text}


def _params(written: str) -> dict[str, Any]:
    return {name: unescape(value) for name, value in _PARAM.findall(written)}

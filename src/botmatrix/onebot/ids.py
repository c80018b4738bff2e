"""Ids of people, groups, messages and bots, as text.

| in the JSON | becomes |
|---|---|
| integer inside int64, negative ones too | its decimal digits |
| string of at most 128 printable characters | itself, untouched (`"007"` stays `007`) |
| null, or no such field | `""` |
| true, false, any float (`1e3`, `10001.0`), integer outside int64, list, object | refused |
| string with control characters or line breaks, or a longer one | refused |

Floats are refused even when they are whole: a reader that took them would turn 2**64 into another id.
"""

from __future__ import annotations

from botmatrix.errors import BadFrame

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1
MAX_LENGTH = 128


def id_text(value: object) -> str:
    """The id as text, by the table above. Raises `BadFrame("bad_id")`."""
    if value is None:
        return ""
    if type(value) is int and INT64_MIN <= value <= INT64_MAX:
        return str(value)
    if type(value) is str and len(value) <= MAX_LENGTH and value.isprintable():
        return value
    raise BadFrame("bad_id")


def group_id_text(value: object) -> str:
    """Like `id_text`; 0 means that there is no group."""
    text = id_text(value)
    return "" if text == "0" else text


def plain_key(key: str) -> str:
    """`platform:id` as everybody writes it: of platforms case counts for nothing."""
    platform, colon, bare = key.partition(":")
    return f"{platform.lower()}:{bare}" if colon else key

"""What is wrong with a value, for people: an expression that it does not match is said in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_ID: Final = "must be letters, digits and . _ -, begin with a letter or digit, and have at most 64 characters"
_KEY: Final = "must be platform:id, as in qq:123, without spaces"
_DIGEST: Final = "must be a SHA-256: 64 digits 0-9 and letters a-f"
_ENTRY: Final = "must be the id of an entry: two numbers with a - between them, as in 1700000000000-0"

PATTERNS: Final[Mapping[str, str]] = {
    r"^[A-Za-z0-9_\-]+:[^\x00-\x1f\x7f]+$": "must be platform:id, as in qq:123",
    r"^(\d{1,19}-\d{1,19})?$": _ENTRY,
    r"^[0-9]{1,19}-[0-9]{1,19}$": _ENTRY,
    r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}$": _ID,
    r"^([0-9a-f]{64})?$": _DIGEST,
    r"^[0-9a-f]{64}$": _DIGEST,
    r"^[0-9A-Za-z][0-9A-Za-z.+\-_]{0,63}$": "must be a version such as 1.2.0: letters, digits and . + - _, at most 64",
    r"^[!-9;-~]{1,32}:[!-~]{1,128}$": _KEY,
    r"^([!-9;-~]{1,32}:[!-~]{1,128})?$": _KEY,
    r"^\w[\w.\-]{0,63}$": "must be the name of a skill: letters, digits and _ . -, at most 64 characters",
    r"^[A-Za-z0-9_.\-]+$": "must be letters, digits and _ . -",
    r"^[A-Za-z0-9_.\-]{1,32}$": "must be letters, digits and _ . -, 1 to 32 of them",
    r"^[\w.@+\-]+$": "must be letters, digits and _ . @ + -, without spaces",
    r"^[\w.@+\-][\w .@+\-]*$": "must be letters, digits, spaces and _ . @ + -, and not begin with a space",
    r"^[^\x00-\x1f\x7f-\x9f]*$": "must not have control characters",
    r"^(\*|[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*)$": "must be the name of an action, as in send_msg, or * for all",
    r"^[^\x00-\x1f\x7f]{0,2000}$": "must have at most 2000 characters, and no control characters",
    r"^[^\s\x00-\x1f\x7f]{1,200}$": "must have 1 to 200 characters, and no spaces",
    r"^[!-~]{1,128}$": "must be an id, as in qq:123 or 123: at most 128 characters, without spaces",
    r"^[^\x00-\x20\x7f-\xa0]([^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\xa0])?$": (
        "must be user_ID, group_ID, bot_ID or a bare id, and neither begin nor end with a space"
    ),
    r"^(pool:)?[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}(, ?(pool:)?[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}){0,7}$": (
        "must be a worker's id, pool:NAME, several of them (at most 8) with commas between, or block"
    ),
}
"""Expression of an interface -> what it allows; a test fails for one of REST that is not here."""


def problem_of(error: Mapping[str, Any]) -> str:
    """The message of one of pydantic's errors (`ValidationError.errors()`), without expressions."""
    if error["type"] != "string_pattern_mismatch":
        return str(error["msg"])
    return PATTERNS.get(error["ctx"]["pattern"], "has characters that are not allowed here")

"""What is wrong with a value, for people: in few words, without expressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

_ID: Final = "must be letters, digits and . _ -, begin with a letter or digit, and have at most 64 characters"
_KEY: Final = "must be platform:id, as in qq:123, without spaces"
_DIGEST: Final = "must be a SHA-256: 64 digits 0-9 and letters a-f"
_ENTRY: Final = "must be the id of an entry: two numbers with a - between them, as in 1700000000000-0"

_WHOLE: Final = "must be a whole number"
_NUMBER: Final = "must be a number"
_BOOLEAN: Final = "must be true or false"
_OBJECT: Final = "must be an object"
_MOMENT: Final = "must be a day and a time, as in 2026-12-24T18:00:00Z"

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


_Words = Callable[[Mapping[str, Any]], str]
KINDS: Final[Mapping[str, _Words]] = {
    "missing": lambda _: "is missing",
    "extra_forbidden": lambda _: "is not known here",
    "json_invalid": lambda _: "this is not JSON",
    "string_type": lambda _: "must be text",
    "string_too_short": lambda said: (
        "must not be empty" if said["min_length"] == 1 else f"must have at least {said['min_length']} characters"
    ),
    "string_too_long": lambda said: f"must have at most {said['max_length']} characters",
    "too_short": lambda said: (
        "must not be empty" if said["min_length"] == 1 else f"must have at least {said['min_length']} entries"
    ),
    "too_long": lambda said: f"must have at most {said['max_length']} entries",
    "int_type": lambda _: _WHOLE,
    "int_parsing": lambda _: _WHOLE,
    "int_parsing_size": lambda _: "is too large a number",
    "int_from_float": lambda _: _WHOLE,
    "float_type": lambda _: _NUMBER,
    "float_parsing": lambda _: _NUMBER,
    "finite_number": lambda _: _NUMBER,
    "bool_type": lambda _: _BOOLEAN,
    "bool_parsing": lambda _: _BOOLEAN,
    "greater_than": lambda said: f"must be more than {said['gt']}",
    "greater_than_equal": lambda said: f"must be at least {said['ge']}",
    "less_than": lambda said: f"must be less than {said['lt']}",
    "less_than_equal": lambda said: f"must be at most {said['le']}",
    "literal_error": lambda said: f"must be one of {said['expected']}",
    "enum": lambda said: f"must be one of {said['expected']}",
    "list_type": lambda _: "must be a list",
    "dict_type": lambda _: _OBJECT,
    "model_type": lambda _: _OBJECT,
    "model_attributes_type": lambda _: _OBJECT,
    "datetime_from_date_parsing": lambda _: _MOMENT,
    "datetime_parsing": lambda _: _MOMENT,
    "datetime_type": lambda _: _MOMENT,
    "value_error": lambda said: str(said["error"]),
}
"""Kind of an error of pydantic -> what is said of it, from the error's `ctx`."""


def problem_of(error: Mapping[str, Any]) -> str:
    """One of pydantic's errors (`ValidationError.errors()`) in words, without expressions."""
    said = error.get("ctx", {})
    if error["type"] == "string_pattern_mismatch":
        return PATTERNS.get(said["pattern"], "has characters that are not allowed here")
    words = KINDS.get(error["type"])
    return words(said) if words else str(error["msg"])

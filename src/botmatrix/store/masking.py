"""What may be written down of a foreign JSON object: without secrets, of a bounded size, fit for PostgreSQL."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

MASK: Final = "***"
LARGEST: Final = 16 * 1024
"""Bytes of JSON that are kept; of more, only how much it was."""
_DEEPEST: Final = 20
_LONGEST: Final = 2000
_SECRET: Final = re.compile(r"passw|passphrase|token|secret|credential|authorization|cookie|api_?key", re.IGNORECASE)
_TOKEN: Final = re.compile(r"\bbm[sk]_[A-Za-z0-9_\-]+")
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


def storable(value: dict[str, Any] | None) -> dict[str, Any] | None:
    """A copy with masked secrets. PostgreSQL takes neither NUL, nor half characters, nor NaN."""
    if value is None:
        return None
    masked: dict[str, Any] = _masked(value, 0)
    size = len(json.dumps(masked, ensure_ascii=False).encode())
    return masked if size <= LARGEST else {"too_large": size}


def _masked(value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        return "..."
    match value:
        case dict():
            return {_text(str(name)): _field(str(name), one, depth) for name, one in value.items()}
        case list() | tuple():
            return [_masked(one, depth + 1) for one in value]
        case bool() | None:
            return value
        case int():
            return value if abs(value) < 2**63 else _text(hex(value))
        case float():
            return value if math.isfinite(value) else str(value)
        case _:
            return _text(str(value))


def _field(name: str, value: Any, depth: int) -> Any:
    if _SECRET.search(name) and value not in (None, "", False, True):
        return MASK
    return _masked(value, depth + 1)


def _text(value: str) -> str:
    return _UNSTORABLE.sub("�", _TOKEN.sub(MASK, value))[:_LONGEST]

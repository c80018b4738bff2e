"""Numbers as they stand in Redis, whoever wrote them."""

from __future__ import annotations

import re
from typing import Final

_WHOLE: Final = re.compile(rb"-?[0-9]{1,18}")


def whole(text: bytes | None) -> int:
    """A whole number; 0 for what is none."""
    return int(text) if text is not None and _WHOLE.fullmatch(text) else 0

"""Presence hashes carry text; these types read numbers out of it. What can't be read counts as absent."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any

from pydantic import BeforeValidator


def number(value: Any) -> float:
    """A finite number; 0 for anything else."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return 0.0
    return found if math.isfinite(found) else 0.0


def words(value: Any) -> list[str]:
    """A JSON list of texts, or texts with commas between them."""
    if not isinstance(value, str) or not value:
        return []
    if value.startswith("["):
        try:
            return [str(one) for one in json.loads(value)]
        except (ValueError, RecursionError):
            return []
    return [one.strip() for one in value.split(",") if one.strip()]


def flag(value: Any) -> bool:
    """Whether a text says yes."""
    return str(value).lower() in ("1", "true")


Number = Annotated[float, BeforeValidator(number)]
Count = Annotated[int, BeforeValidator(lambda value: int(number(value)))]
Words = Annotated[list[str], BeforeValidator(words)]
Flag = Annotated[bool, BeforeValidator(flag)]

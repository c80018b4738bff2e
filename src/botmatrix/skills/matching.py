"""Which execution a result belongs to: the one it names, else the newest open one of its task."""

from __future__ import annotations

from typing import Final

ABSENT: Final = frozenset(("", "<nil>", "0"))
"""What older workers write for an id that they don't have."""


def present_id(id: str | int | None) -> str:
    """An id as text; empty when it is absent."""
    text = "" if id is None else str(id).strip()
    return "" if text in ABSENT else text

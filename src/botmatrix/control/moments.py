"""Moments in a query: ISO 8601, or unix seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from fastapi import Query

from botmatrix.control.errors import ApiError

DAY: Final = timedelta(days=1)
_WORDS = "A moment: ISO 8601 (UTC unless it says otherwise) or unix seconds."

From = Annotated[str, Query(alias="from", max_length=40, description=f"{_WORDS} By default 24 hours before `to`.")]
To = Annotated[str, Query(max_length=40, description=f"{_WORDS} By default now.")]


def span(start: str, end: str) -> tuple[datetime, datetime]:
    """The time between two moments of a query. Raises 422."""
    until = _moment("to", end) if end else datetime.now(UTC)
    since = _moment("from", start) if start else until - DAY
    if since > until:
        raise ApiError(422, "invalid", "from: must not be later than to")
    return since, until


def _moment(field: str, value: str) -> datetime:
    try:
        if value.replace(".", "", 1).isascii() and value.replace(".", "", 1).isdigit():
            return datetime.fromtimestamp(float(value), UTC)
        found = datetime.fromisoformat(value)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        found - DAY
    except (ValueError, OverflowError, OSError):
        raise ApiError(422, "invalid", f"{field}: a moment such as 2026-01-31T12:00:00 or 1769860800") from None
    return found

"""A handler's way to say "not now"."""

from __future__ import annotations

from datetime import timedelta


class Retry(Exception):
    """Raise it to have the whole event handled again after a while; what was buffered for it is dropped.

    `after`: seconds or a timedelta. The person's later messages here wait meanwhile; in all at most 30 s.
    """

    def __init__(self, after: float | timedelta, reason: str = "") -> None:
        self.after = after if isinstance(after, timedelta) else timedelta(seconds=after)
        self.reason = reason
        super().__init__(reason or f"again after {self.after}")

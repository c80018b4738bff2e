"""What may go wrong with a function that runs in another process (`ctx.run`)."""

from __future__ import annotations


class RunCrashed(Exception):
    """The process in which a function ran died, or could not give back what it made."""


class RunFailed(Exception):
    """Where a function raised: the cause of what it raised, as text from the other process."""

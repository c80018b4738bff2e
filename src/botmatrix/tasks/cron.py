"""Cron expressions of five fields in a time zone.

When clocks change it is as with Debian's cron. A job with fixed hours and minutes whose moment does not exist runs
right behind the gap, and one whose moment comes twice runs the first time. A job with `*` in its hours or minutes goes
by the clock on the wall as it shows: it leaves out what does not exist and runs again in what comes twice.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from botmatrix.tasks.model import BadTask

LONGEST: Final = 200
_SOME_DAY: Final = datetime(2024, 1, 1, tzinfo=UTC)


def zone_named(name: str) -> ZoneInfo:
    """An IANA time zone. Raises `BadTask`."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # also a path out of the folder of zones
        raise BadTask(f"time_zone: {name!r} is no IANA time zone such as Asia/Shanghai") from None


class Cron:
    """One expression in one zone. Raises `BadTask` for what is none, or never comes."""

    def __init__(self, expression: str, zone: ZoneInfo) -> None:
        if len(expression) > LONGEST or len(expression.split()) != 5:
            raise BadTask("cron: needs five fields: minute hour day month weekday, as in 0 23 * * *")
        try:
            CronSim(expression, _SOME_DAY)
        except (CronSimError, ValueError, TypeError, AssertionError) as error:
            raise BadTask(f"cron: {str(error) or 'can not be read'}; as in 0 23 * * *") from None
        self._expression, self._zone = expression, zone
        if self.next(_SOME_DAY) is None:
            raise BadTask("cron: there is no such moment")

    def next(self, after: datetime) -> datetime | None:
        """The first moment behind `after`, in UTC; None when there is none in 50 years."""
        for found in CronSim(self._expression, after.astimezone(self._zone)):
            # In the second pass of an hour that comes twice the first one is found again.
            if (moment := found.astimezone(UTC)) > after:
                return moment
        return None

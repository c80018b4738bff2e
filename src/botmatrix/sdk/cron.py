"""What the clock starts: when it is due, and what then runs."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from botmatrix.sdk.handler import Function


class Cron:
    """One function of a plugin and its times. `timeout`: seconds that a run may take."""

    def __init__(self, function: Function, expression: str, tz: str, timeout: float) -> None:
        """Raises `ValueError` for what is no time table or no time zone."""
        try:
            self.zone = ZoneInfo(tz)
            CronSim(expression, datetime.now(self.zone))
        except CronSimError as error:
            raise ValueError(
                f"{expression!r} is no time table: write minute hour day month weekday ({error})"
            ) from None
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{tz!r} is no time zone: write one such as Asia/Shanghai") from None
        if timeout <= 0:
            raise ValueError("timeout must be above 0 seconds")
        self.function, self.expression, self.timeout = function, expression, timeout
        self.name = function.__name__
        self.is_async = inspect.iscoroutinefunction(function)

    def after(self, now: float) -> int:
        """When it is next due after `now` (unix s); 0: never again."""
        moment = datetime.fromtimestamp(now, UTC)
        for found in CronSim(self.expression, moment.astimezone(self.zone)):
            # In the second pass of an hour that comes twice the first one is found again.
            if found.astimezone(UTC) > moment:
                return int(found.timestamp())
        return 0

    def last(self, now: float, within: float) -> int:
        """When it was due last, at `now` or before; 0: not within so many seconds."""
        due, following = 0, self.after(now - within)
        while 0 < following <= now:
            due, following = following, self.after(following)
        return due

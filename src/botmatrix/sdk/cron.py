"""What the clock starts: when it is due, and what then runs."""

from __future__ import annotations

import inspect
from datetime import datetime
from typing import Any
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
        return _unix(next(CronSim(self.expression, datetime.fromtimestamp(now, self.zone)), None))

    def before(self, now: float) -> int:
        """When it was due last, at `now` or before."""
        found: Any = CronSim(self.expression, datetime.fromtimestamp(now + 1, self.zone), reverse=True)
        return _unix(next(found, None))


def _unix(moment: datetime | None) -> int:
    return int(moment.timestamp()) if moment is not None else 0

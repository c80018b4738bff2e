"""What sets a task off: a moment, a delay, a cron expression, or a condition that an event meets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from botmatrix.tasks.conditions import Condition
from botmatrix.tasks.cron import Cron, zone_named
from botmatrix.tasks.model import BadTask, TaskType

GRACE: Final = timedelta(minutes=1)
"""A moment that has passed by no more is taken: clocks differ, and requests take a while."""
LONGEST_DELAY: Final = 10 * 366 * 86_400


class Trigger:
    """When a task is set off by time. `config` is what was given, checked and in one form."""

    def __init__(self, type: TaskType, config: Mapping[str, Any], time_zone: str) -> None:
        """Raises `BadTask`."""
        zone = zone_named(time_zone)
        self._type = type
        self._moment: datetime | None = None
        self._delay = timedelta()
        self._cron: Cron | None = None
        match type:
            case TaskType.ONCE:
                self._moment = _moment(_only(config, "time"), zone)
            case TaskType.DELAYED:
                self._delay = timedelta(seconds=_delay(_only(config, "delay")))
            case TaskType.CRON:
                self._cron = Cron(_text("cron", _only(config, "cron")), zone)
            case TaskType.CONDITION:
                config = Condition.read(config).config()
        self.config: dict[str, Any] = dict(config)

    def first(self, now: datetime) -> datetime | None:
        """When it is set off first, for a task that begins `now`; None: by events only.

        Raises `BadTask` when its moment has passed.
        """
        if self._moment is not None and self._moment < now - GRACE:
            raise BadTask("time: has passed")
        if self._type is TaskType.DELAYED:
            return now + self._delay
        return self._moment or self.next(now)

    def next(self, after: datetime) -> datetime | None:
        """When it is set off again, once it was; None: never."""
        return self._cron.next(after) if self._cron is not None else None


def _only(config: Mapping[str, Any], name: str) -> Any:
    if set(config) != {name}:
        raise BadTask(f"trigger_config: needs {name}, and nothing else")
    return config[name]


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise BadTask(f"{name}: must be text")
    return value


def _moment(value: Any, zone: ZoneInfo) -> datetime:
    """ISO 8601; without an offset it is meant in the zone, where a moment that comes twice is the first one."""
    try:
        moment = datetime.fromisoformat(_text("time", value))
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadTask("time: must be ISO 8601, as in 2026-12-24T18:00:00+08:00") from None


def _delay(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST_DELAY:
        raise BadTask(f"delay: must be seconds, 0 to {LONGEST_DELAY}")
    if math.isnan(value):
        raise BadTask("delay: must be a number")
    return float(value)

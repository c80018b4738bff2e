"""How often a handler may be used: `rate("5/min", by="user")`."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final, Literal, NamedTuple, get_args
from zoneinfo import ZoneInfo

By = Literal["user", "member", "conversation", "all"]

MOST: Final = 10_000
_RATE = re.compile(r"(?P<count>\d{1,5})\s*/\s*(?P<times>\d{0,4})\s*(?P<unit>s|sec|min|h|hour|d|day)")
_SECONDS: Final = {"s": 1, "sec": 1, "min": 60, "h": 3600, "hour": 3600, "d": 86_400, "day": 86_400}


class Rate(NamedTuple):
    """So many `uses` in `seconds`, counted for each `by`; see `rate`."""

    uses: int
    seconds: int
    by: By
    tz: str

    def left(self, now: float) -> float:
        """Seconds until the next whole period by the clock of `tz`."""
        offset = datetime.fromtimestamp(now, ZoneInfo(self.tz)).utcoffset()
        passed = (now + (offset.total_seconds() if offset else 0)) % self.seconds
        return self.seconds - passed


def rate(text: str, *, by: By = "user", tz: str = "UTC") -> Rate:
    """So many uses in a time: `5/min`, `1/10s`, `20/day` (units s, min, hour, day).

    `by`: whose uses count together: a `user`'s wherever they are, a `member`'s in one conversation, those of a whole
    `conversation`, or `all`. `tz`: by which clock a quota's day begins, such as `Asia/Shanghai`. Raises `ValueError`.
    """
    found = _RATE.fullmatch(text.strip())
    if found is None or not 1 <= int(found["count"]) <= MOST or found["times"] == "0":
        raise ValueError(f"{text!r} is no rate: write such as 5/min, 1/10s, 20/day (1 to {MOST} uses)")
    if by not in get_args(By):
        raise ValueError(f"{by!r}: count by {', '.join(get_args(By))}")
    try:
        ZoneInfo(tz)
    except (LookupError, OSError) as error:
        raise ValueError(f"{tz!r} is no time zone: write such as Asia/Shanghai") from error
    return Rate(int(found["count"]), int(found["times"] or 1) * _SECONDS[found["unit"]], by, tz)

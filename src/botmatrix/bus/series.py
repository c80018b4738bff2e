"""Figures of the whole matrix over time: three streams, each bounded, whose entry ids are the moments."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.keys import Keys


class Resolution(NamedTuple):
    """One entry for each `step` seconds, for `span` seconds."""

    step: int
    span: int


HOUR: Final = Resolution(10, 3600)
DAY: Final = Resolution(300, 86_400)
WEEK: Final = Resolution(1800, 7 * 86_400)


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The matrix at one moment; of a coarser resolution, the means over its step.

    `t`: unix seconds. Rates are events (or actions) per second, `reasons` those of blocked events by reason. Times in
    ms: the mean over the workers, and the highest 95th percentile. `cpu_percent` (of one core) and `rss` (bytes) add
    up all processes of a kind.
    """

    t: int
    received: float = 0.0
    accepted: float = 0.0
    blocked: float = 0.0
    done: float = 0.0
    dead: float = 0.0
    sent: float = 0.0
    reasons: dict[str, float] = {}
    response_ms: float = 0.0
    response_p95_ms: float = 0.0
    queued: float = 0.0
    oldest: float = 0.0
    dead_letters: float = 0.0
    bots_online: float = 0.0
    bots: float = 0.0
    workers: float = 0.0
    nexuses: float = 0.0
    cpu_percent: dict[str, float] = {}
    rss: dict[str, float] = {}


class Series:
    """Reads and writes over a connection of its owner's. Every method raises `EngineUnavailable`."""

    def __init__(self, client: Client, keys: Keys) -> None:
        self._client, self._keys = client, keys

    async def add(self, resolution: Resolution, sample: Sample) -> bool:
        """Add the sample of a moment; False when somebody has added it, or a later one."""
        most = resolution.span // resolution.step
        body = msgspec.json.encode(sample)
        key = self._keys.series(str(resolution.step))
        try:
            await self._client.call("XADD", key, "MAXLEN", "~", most, f"{sample.t * 1000}-0", "sample", body)
        except ReplyError as error:
            if "equal or smaller" not in str(error):
                raise
            return False
        await self._client.call("EXPIRE", key, 2 * resolution.span)
        return True

    async def read(self, resolution: Resolution, *, start: float, end: float) -> list[Sample]:
        """The samples after `start` up to `end` (unix seconds), oldest first; what can't be read is left out."""
        key = self._keys.series(str(resolution.step))
        entries = await self._client.call("XRANGE", key, f"({int(start * 1000)}-0", f"{int(end * 1000)}-0")
        return [one for _, fields in entries if (one := _read(fields[1])) is not None]


def mean(samples: list[Sample], t: int) -> Sample:
    """The means of some samples, as the sample of one moment. What one does not name counts as 0 there."""
    count = len(samples)
    plain = {name: sum(getattr(one, name) for one in samples) / count for name in _NUMBERS}
    named = {name: _mean_by_name([getattr(one, name) for one in samples]) for name in _BY_NAME}
    return msgspec.convert({"t": t, **plain, **named}, Sample)


_BY_NAME: Final = ("reasons", "cpu_percent", "rss")
_NUMBERS: Final = tuple(name for name in Sample.__struct_fields__ if name not in ("t", *_BY_NAME))


def _mean_by_name(parts: list[dict[str, float]]) -> dict[str, float]:
    names = {name for part in parts for name in part}
    return {name: sum(part.get(name, 0.0) for part in parts) / len(parts) for name in sorted(names)}


def _read(body: bytes) -> Sample | None:
    try:
        return msgspec.json.decode(body, type=Sample)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None

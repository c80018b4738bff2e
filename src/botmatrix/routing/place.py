"""From a rule to lanes: among which workers the choice is, and what happens when none of them takes events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from botmatrix.routing.rule import DEFAULT_POOL, POOL, Fallback
from botmatrix.routing.table import Route


class Otherwise(StrEnum):
    """What becomes of an event for which there is no lane."""

    PARK = "park"
    DROP = "drop"


class Place(NamedTuple):
    """The lanes to choose from; only when there are none, `otherwise` counts. `fell_back`: the target is away."""

    lanes: Sequence[str]
    otherwise: Otherwise
    fell_back: bool


class Pools:
    """The lanes that take events, by pool."""

    def __init__(self, lanes: Iterable[tuple[str, str]] = ()) -> None:
        self.by_lane = dict(lanes)
        self._by_pool: dict[str, list[str]] = {}
        for lane, pool in self.by_lane.items():
            self._by_pool.setdefault(pool, []).append(lane)

    def lanes(self, pool: str) -> Sequence[str]:
        """The lanes of one pool."""
        return self._by_pool.get(pool, ())

    def has(self, target: str) -> bool:
        """Whether a rule's target (a worker's id or `pool:NAME`) takes events."""
        return target in self.by_lane or bool(target.startswith(POOL) and self.lanes(target.removeprefix(POOL)))

    def without(self, lane: str) -> Pools:
        """The same, but for one lane."""
        return Pools(item for item in self.by_lane.items() if item[0] != lane)


def place(route: Route | None, pools: Pools) -> Place:
    """Among which lanes an event with this route is balanced. `route` must not be a blocking one."""
    if route is None:
        return Place(pools.lanes(DEFAULT_POOL), Otherwise.PARK, False)
    if route.worker:
        lanes: Sequence[str] = (route.worker,) if route.worker in pools.by_lane else ()
    else:
        lanes = pools.lanes(route.pool)
    if lanes:
        return Place(lanes, Otherwise.PARK, False)
    if route.fallback is Fallback.BALANCE:
        return Place(pools.lanes(DEFAULT_POOL), Otherwise.PARK, True)
    return Place((), Otherwise.DROP, True)

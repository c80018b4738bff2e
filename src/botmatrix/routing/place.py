"""From a rule to lanes: among which workers the choice is, and what happens when none of them takes events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from botmatrix.routing.rule import BLOCK, DEFAULT_POOL, POOL, Fallback, Rule
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

    def of(self, targets: Sequence[str]) -> Sequence[str]:
        """The lanes that any of these targets (a worker's id or `pool:NAME`) stands for."""
        if len(targets) == 1:
            return self._of(targets[0])
        return list(dict.fromkeys(lane for target in targets for lane in self._of(target)))

    def without(self, lane: str) -> Pools:
        """The same, but for one lane."""
        return Pools(item for item in self.by_lane.items() if item[0] != lane)

    def _of(self, target: str) -> Sequence[str]:
        if target.startswith(POOL):
            return self.lanes(target.removeprefix(POOL))
        return (target,) if target in self.by_lane else ()


def place(route: Route | None, pools: Pools) -> Place:
    """Among which lanes an event with this route is balanced. `route` must not be a blocking one."""
    if route is None:
        return Place(pools.lanes(DEFAULT_POOL), Otherwise.PARK, False)
    lanes = pools.of(route.targets)
    if lanes:
        return Place(lanes, Otherwise.PARK, False)
    if route.fallback is Fallback.BALANCE:
        return Place(pools.lanes(DEFAULT_POOL), Otherwise.PARK, True)
    return Place((), Otherwise.PARK if route.fallback is Fallback.WAIT else Otherwise.DROP, True)


def missing(rule: Rule, pools: Pools) -> list[str]:
    """In words, who of a rule's targets takes no events now, and what that means meanwhile."""
    if rule.target == BLOCK or rule.disabled:
        return []
    away = [target for target in rule.targets if not pools.of([target])]
    return [f"{target} takes no events now; until it does, the fallback is {rule.fallback.value}" for target in away]

"""Where a conversation goes that is nowhere yet, when socket workers take part: a lane, or a socket worker here.

An application that is attached to a bot is its implicit rule, below every written one. Workers of other nexuses are
taken only when nobody is here; their events travel by a lane of that nexus (`relay.py`).
"""

from __future__ import annotations

import random
from collections import ChainMap
from typing import Protocol

from botmatrix.bus.keys import PARKING
from botmatrix.clock import Clock
from botmatrix.nexus.sockets.workers import SocketWorkers
from botmatrix.nexus.workers import Workers
from botmatrix.routing.balance import pick
from botmatrix.routing.place import Pools, place
from botmatrix.routing.rule import Fallback
from botmatrix.routing.table import Route


class Far(Protocol):
    """Socket workers of other nexuses."""

    def lane(self, bot: str, route: Route | None) -> str:
        """The lane of a nexus that has a worker for this; `""`: none has."""
        ...

    def attached(self, bot: str) -> bool:
        """Whether an application is attached to this bot over there."""
        ...


class NobodyFar:
    """There is no other nexus."""

    def lane(self, bot: str, route: Route | None) -> str:
        """None has."""
        return ""

    def attached(self, bot: str) -> bool:
        """None is."""
        return False


class Choice:
    """Chooses among stream workers and socket workers."""

    def __init__(self, workers: Workers, sockets: SocketWorkers, far: Far, clock: Clock) -> None:
        self._workers, self._sockets, self._far, self._clock = workers, sockets, far, clock
        self._rng = random.Random()  # noqa: S311  balancing needs no secrecy
        self._loads = ChainMap(workers.loads, sockets.loads)
        self._known: dict[str, Pools] = {}
        self._known_of: tuple[Pools, int] | None = None

    def choose(self, bot: str, route: Route | None) -> str | None:
        """A lane or the id of a socket worker that is here; a parking place, or None, as `Workers.choose`."""
        if route is None:
            route = self._implicit(bot)
        lanes, _, fell_back = place(route, self._pools(bot))
        if (fell_back or not lanes) and (far := self._far.lane(bot, route)):
            return far
        if lanes:
            return pick(lanes, self._loads, self._rng, self._clock.now())
        return self._workers.choose(route)

    def without_sockets(self, route: Route | None) -> str:
        """Where to when a socket worker takes no more: among the stream workers, or parked."""
        return self._workers.choose(route) or PARKING

    def near(self, bot: str, route: Route | None) -> bool:
        """Whether a socket worker that is here takes it, so that it needs no Redis."""
        lanes, *_ = place(route if route is not None else self._implicit(bot), self._pools(bot))
        return any(lane in self._sockets.workers for lane in lanes)

    def _implicit(self, bot: str) -> Route | None:
        here = [one for one in self._sockets.applications_of(bot) if self._sockets.takes(one, bot)]
        if here:
            return Route("bot_" + bot.partition(":")[2], tuple(here), False, Fallback.BALANCE, "", "")
        return None

    def _pools(self, bot: str) -> Pools:
        """Lanes and socket workers that take events of this bot, by pool."""
        state = (self._workers.pools, self._sockets.version)
        if state != self._known_of:
            self._known_of = state
            self._known.clear()
        pools = self._known.get(bot)
        if pools is None:
            pools = self._known[bot] = Pools(
                [*self._workers.pools.by_lane.items(), *self._sockets.takers(bot)],
            )
        return pools

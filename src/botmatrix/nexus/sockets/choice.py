"""Where a conversation goes that is nowhere yet, when socket workers take part: a lane, or a socket worker here.

An application that is attached to a bot is its implicit rule, below every written one. Workers of other nexuses are
taken only when nobody is here; their events travel by a lane of that nexus (`relay.py`).
"""

from __future__ import annotations

import random
from collections import ChainMap
from collections.abc import Sequence

from botmatrix.bus.keys import PARKING
from botmatrix.clock import Clock
from botmatrix.nexus.sockets.far import FarWorkers
from botmatrix.nexus.sockets.request import Kind
from botmatrix.nexus.sockets.workers import SocketWorkers
from botmatrix.nexus.workers import Workers
from botmatrix.routing.balance import pick
from botmatrix.routing.place import Pools, place
from botmatrix.routing.rule import POOL
from botmatrix.routing.table import Route, implicit_route


class Choice:
    """Chooses among stream workers and socket workers. Implements `workers.Beyond`.

    `own_lane`: the lane by which others send events to the socket workers here.
    """

    def __init__(self, workers: Workers, sockets: SocketWorkers, far: FarWorkers, own_lane: str, clock: Clock) -> None:
        self._workers, self._sockets, self._far, self._clock = workers, sockets, far, clock
        self.own_lane = own_lane
        self._rng = random.Random()  # noqa: S311  balancing needs no secrecy
        self._loads = ChainMap(workers.loads, sockets.loads)
        self._known: dict[str, Pools] = {}
        self._known_of: tuple[Pools, int] | None = None

    def choose(self, bot: str, route: Route | None) -> str | None:
        """A lane or the id of a socket worker that is here; a parking place, or None, as `Workers.choose`."""
        if route is None:
            route = self._implicit(bot)
            if route is None and (far := self._far.lane(bot, None, Kind.APPLICATION)):
                return far
        lanes, _, fell_back = place(route, self._pools(bot))
        if (fell_back or not lanes) and not self._far.is_empty and (far := self._far.lane(bot, route)):
            return far
        if lanes:
            return pick(lanes, self._loads, self._rng, self._clock.now())
        return self._workers.choose(route)

    def without_sockets(self, route: Route | None) -> str:
        """Where to when a socket worker takes no more: among the stream workers, or parked."""
        return self._workers.choose(route) or PARKING

    def near(self, bot: str, route: Route | None) -> str:
        """The best socket worker that is here and takes it, for which Redis is not needed; `""`: there is none."""
        lanes, *_ = place(route if route is not None else self._implicit(bot), self._pools(bot))
        here = [lane for lane in lanes if lane in self._sockets.workers]
        return pick(here, self._loads, self._rng, self._clock.now()) if here else ""

    def reaches(self, bot: str, route: Route | None) -> bool:
        """Whether a socket worker that is here takes it, or all that take it get copies."""
        return bool(self.near(bot, route)) or (route is None and bool(self._sockets.copies_of(bot)))

    # ---------------------------------------------------------------- for what is parked

    @property
    def version(self) -> object:
        """See `Beyond.version`."""
        here = bool(self._sockets.workers)
        return (self._sockets.version, self._far.version) if here or not self._far.is_empty else None

    def serves(self, targets: Sequence[str]) -> bool:
        """See `Beyond.serves`."""
        here = [one for one in self._sockets.workers.values() if one.id not in self._sockets.draining]
        return any(one.id in targets or POOL + one.pool in targets for one in here) or self._far.serves(targets)

    def relay(self, bot: str, route: Route | None, *, applications: bool) -> str:
        """See `Beyond.relay`."""
        kind = Kind.APPLICATION if applications else Kind.OLD
        targets = route.targets if route is not None else None
        for worker in self._sockets.workers.values():
            fits = targets is None or worker.id in targets or POOL + worker.pool in targets
            if worker.kind is kind and fits and self._sockets.takes(worker.id, bot):
                return self.own_lane
        return self._far.lane(bot, route, kind)

    # ---------------------------------------------------------------- inside

    def _implicit(self, bot: str) -> Route | None:
        here = [one for one in self._sockets.applications_of(bot) if self._sockets.takes(one, bot)]
        if here:
            return implicit_route(bot.partition(":")[2], here)
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

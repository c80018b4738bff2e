"""All socket workers of this nexus: who is here, for which bots, and what happens when one goes."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import structlog

from botmatrix.bus.envelope import Envelope
from botmatrix.clock import Clock
from botmatrix.nexus import closing
from botmatrix.nexus.bot import Bot
from botmatrix.nexus.hub import Hub
from botmatrix.nexus.sockets.application import ApplicationLink
from botmatrix.nexus.sockets.asker import Asker
from botmatrix.nexus.sockets.finder import BotFinder
from botmatrix.nexus.sockets.link import WorkerLink, conversation_of
from botmatrix.nexus.sockets.old import OldWorkerLink
from botmatrix.nexus.sockets.request import AcceptWorker, Kind
from botmatrix.nexus.sockets.worker import Open, Report, SocketWorker
from botmatrix.nexus.spool import Parcel, Spool
from botmatrix.onebot.event import Event
from botmatrix.routing.balance import Load
from botmatrix.routing.rule import DEFAULT_POOL

log = structlog.get_logger("sockets")
MEMORY = 4 << 20
DISK = 256 << 20
"""Bytes of events that wait for one link: in memory, then in a file."""


class SocketWorkers:
    """The registry. `is_taken` says whether a stream worker has a name already.

    `on_change` is called when a worker comes, goes or drains; `on_gone` when nobody carries new events of a bot to a
    worker any more (id, bot; `""`: all bots); `on_unwritten` gets events that a link took and never wrote: they go to
    somebody else.
    """

    def __init__(self, hub: Hub, asker: Asker, folder: Path, clock: Clock) -> None:
        self.hub, self.asker, self.clock = hub, asker, clock
        self.finder = BotFinder(hub, clock)
        self.workers: dict[str, SocketWorker] = {}
        self.on_change: Callable[[], None] = lambda: None
        self.on_gone: Callable[[str, str], None] = lambda _worker_id, _bot: None
        self.on_unwritten: Callable[[list[Parcel]], None] = lambda _parcels: None
        self.is_taken: Callable[[str], bool] = lambda _worker_id: False
        self.report: Report = lambda _worker_id, _event, _how: None
        self.on_skill_result: Callable[[str, dict[str, Any]], None] | None = None
        self.arrays: frozenset[str] = frozenset()
        self.copying: frozenset[str] = frozenset()
        self.draining: frozenset[str] = frozenset()
        self.counters: Counter[str] = Counter()
        self.loads: dict[str, Load] = {}
        self.version = 0
        self._gone: Counter[str] = Counter()
        self._folder = folder
        self._numbers = itertools.count(1)
        self._attached: dict[str, list[str]] = {}
        self._by_bot: dict[str, list[str]] = {}
        self._copied: dict[str, list[str]] = {}

    # ---------------------------------------------------------------- on the message path

    def get(self, worker_id: str) -> SocketWorker | None:
        """The worker of this id, if it is a socket worker and here."""
        return self.workers.get(worker_id)

    def applications_of(self, bot: str) -> list[str]:
        """Ids of the applications that are attached to this bot: its implicit rule, by which one of them is chosen."""
        return self._by_bot.get(bot, [])

    def copies_of(self, bot: str) -> list[str]:
        """Ids of those attached applications that get a copy of everything, whoever is chosen."""
        return self._copied.get(bot, [])

    def configure(self, copying: Iterable[str], arrays: Iterable[str]) -> None:
        """Ids of the applications that get a copy of everything, and of those that want messages as arrays."""
        self.copying, self.arrays = frozenset(copying), frozenset(arrays)
        self._attach()
        self.version += 1

    def takers(self, bot: str) -> list[tuple[str, str]]:
        """Id and pool of each worker that has a link for this bot and does not drain."""
        here = [one for one in self.workers.values() if one.id not in self.draining]
        return [(one.id, one.pool) for one in here if one.link_for(bot) is not None]

    def takes(self, worker_id: str, bot: str) -> bool:
        """Whether this worker takes events of this bot now."""
        worker = self.workers.get(worker_id)
        link = worker.link_for(bot) if worker is not None else None
        return link is not None and link.is_open and not link.outbox.full and worker_id not in self.draining

    def hand(self, worker_id: str, parcel: Parcel, envelope: Envelope | None = None) -> bool:
        """Give an event to a worker; False: it takes none, nothing was done. `envelope`: its payload, if at hand."""
        if not self.takes(worker_id, parcel.pin.bot):
            return False
        link = self.workers[worker_id].link_for(parcel.pin.bot)
        assert link is not None  # noqa: S101  `takes` has just seen it
        link.take(parcel, envelope)
        return True

    def called(self, bot: str, params: bytes) -> str:
        """An application acts through this bot over HTTP, where it does not say which one it is: that answers the event
        that waits longest in that conversation. Its id, or `""`.
        """
        conv = conversation_of(params)
        attached = (self.workers[one] for one in self._attached.get(bot, ()))
        worker = min(attached, key=lambda one: one.oldest(bot, conv), default=None)
        return worker.answered(bot, conv, self.clock.now()) if worker is not None and conv else ""

    def on_meta(self, bot: Bot, event: Event) -> None:
        """A meta event of a bot."""
        for worker_id in self._attached.get(bot.key, ()):
            link = self.workers[worker_id].links.get(bot.key)
            if isinstance(link, ApplicationLink):
                link.meta(event, self.clock.monotonic())

    # ---------------------------------------------------------------- from the links

    def link(self, accept: AcceptWorker, remote: str) -> WorkerLink:
        """A link for whoever was let in; it counts when it opens."""
        kind = ApplicationLink if accept.kind is Kind.APPLICATION else OldWorkerLink
        spool = Spool(self._folder / f"socket-{next(self._numbers)}.spool", memory=MEMORY, disk=DISK)
        return kind(self, accept, remote, spool)

    def opened(self, link: WorkerLink) -> None:
        """A link is open: its worker is here."""
        accept = link.accept
        worker = link.worker = self._worker(accept)
        link.place = self.hub.sweeper.add(link)
        link.greet()
        if accept.role.hears:
            former = worker.links.get(accept.bot)
            worker.links[accept.bot] = link
            if former is not None:
                former.connection.close(closing.SUPERSEDED, "a newer link of this worker came")
            self._changed(worker)
        else:
            worker.asking.add(link)
        log.info("a socket worker is here", worker=worker.id, bot=accept.bot, remote=link.remote)

    def ended(self, link: WorkerLink) -> None:
        """A link is gone: what was written is lost if it was not answered, what was not written goes elsewhere."""
        worker, bot = link.worker, link.accept.bot
        worker.asking.discard(link)
        unwritten = link.outbox.drain()
        link.outbox.close()
        for parcel in unwritten:
            worker.end(parcel.pin)
        replaced = worker.links.get(bot) is not link
        if not replaced:
            del worker.links[bot]
            worker.lost(bot)
        if not worker.links and not worker.asking:
            if self.workers.get(worker.id) is worker:
                del self.workers[worker.id]
            self._gone.update({f"socket_{what}": count for what, count in worker.counters.items()})
        self._changed(worker)
        log.info("a socket worker is gone", worker=worker.id, bot=bot, unwritten=len(unwritten))
        if not replaced:
            self.on_gone(worker.id, bot)
        if unwritten:
            self.on_unwritten(unwritten)

    def drain(self, ids: Iterable[str]) -> None:
        """These take nothing new from now on, and no others drain; what they have, they finish."""
        before, self.draining = self.draining, frozenset(ids)
        if self.draining == before:
            return
        self.version += 1
        for worker_id in self.draining - before:
            self.on_gone(worker_id, "")
        self.on_change()

    def wants_arrays(self, worker_id: str) -> bool:
        """Whether messages are turned into arrays for this application."""
        return worker_id in self.arrays

    def skill_result(self, worker: SocketWorker, fields: dict[str, Any]) -> None:
        """A skill's result: nobody has asked for one while the skill system is off."""
        if self.on_skill_result is not None:
            self.on_skill_result(worker.id, fields)
            return
        self.count("skill_result_ignored")
        log.info("a skill result was discarded: the skill system is off", worker=worker.id, keys=len(fields))

    def count(self, what: str) -> None:
        """One more of these."""
        self.counters[what] += 1

    def totals(self) -> Counter[str]:
        """What was counted here and at each worker, also at those that are gone; `socket_{what}`."""
        total = self.counters + self._gone
        for worker in self.workers.values():
            total.update({f"socket_{what}": count for what, count in worker.counters.items()})
        return total

    @property
    def waiting(self) -> int:
        """Events that wait to be written."""
        return sum(worker.waiting for worker in self.workers.values())

    def close_all(self, code: int, reason: str) -> None:
        """Say good-bye to every worker."""
        for worker in list(self.workers.values()):
            for link in [*worker.links.values(), *worker.asking]:
                link.connection.close(code, reason)

    def _worker(self, accept: AcceptWorker) -> SocketWorker:
        worker = self.workers.get(accept.worker_id)
        if worker is None or worker.kind is not accept.kind:
            pool = accept.worker_id if accept.kind is Kind.APPLICATION else DEFAULT_POOL
            worker = SocketWorker(accept.worker_id, accept.kind, pool, self.clock.now(), self._tell)
            self.workers[accept.worker_id] = worker
        return worker

    def _tell(self, worker_id: str, event: Open, how: str) -> None:
        self.report(worker_id, event, how)

    def _changed(self, worker: SocketWorker) -> None:
        self.version += 1
        self.loads.clear()
        self.loads |= {one.id: one.load for one in self.workers.values()}
        if worker.kind is Kind.APPLICATION:
            self._attach()
        self.on_change()

    def _attach(self) -> None:
        """An application that wants a copy of everything is the bot's implicit rule only while it is the only one."""
        attached: dict[str, list[str]] = {}
        for one in self.workers.values():
            for bot in one.links if one.kind is Kind.APPLICATION else ():
                attached.setdefault(bot, []).append(one.id)
        self._attached = attached
        self._copied = {bot: [one for one in ids if one in self.copying] for bot, ids in attached.items()}
        self._by_bot = {
            bot: ids if len(ids) == 1 else [one for one in ids if one not in self.copying]
            for bot, ids in attached.items()
        }

"""Runs what the clock starts in one version of a plugin.

Each time it is due one worker takes it. Should that worker die in the middle, another runs it again; what was sent by
then is not sent again, for the ids of its actions are the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from secrets import token_hex
from typing import Final

from botmatrix.bus.client import ReplyError
from botmatrix.bus.cron import LEASE, CronBox, Turn
from botmatrix.errors import EngineUnavailable
from botmatrix.sdk.app import App
from botmatrix.sdk.cron import Cron
from botmatrix.sdk.outbox import Outbox
from botmatrix.sdk.raised import must_leave
from botmatrix.sdk.services import Services
from botmatrix.worker.plugins.life import Life
from botmatrix.worker.plugins.runs import Runs
from botmatrix.worker.plugins.threads import Threads

log = logging.getLogger(__name__)

LATE: Final = 120.0
"""Seconds for which a time that passed without a worker, or while plugins were exchanged, is made up for."""
LOOK: Final = 30.0
"""Longest nap (s): the machine's clock may be set."""


class Ticking:
    """One function and what `Runs` wants to know of it."""

    def __init__(self, app: App, cron: Cron, life: Life) -> None:
        self.app, self.handler, self.life = app, cron, life
        self.name = f"{app.id}.{cron.name}"


class Crons:
    """The time tables of one version. Where nobody takes turns (`Services.crons`), somebody else says when to run."""

    def __init__(self, services: Services, runs: Runs, threads: Threads) -> None:
        self._services, self._runs, self._threads = services, runs, threads
        self._by = token_hex(4)
        self._waiting: list[asyncio.Task[None]] = []
        self._known: dict[str, Ticking] = {}
        self._running: set[asyncio.Task[None]] = set()

    def start(self, app: App, crons: Iterable[Cron], life: Life) -> None:
        """From now on they run when they are due."""
        for cron in crons:
            ticking = self._known[cron.name] = Ticking(app, cron, life)
            if self._services.crons is None:
                continue
            self._waiting.append(asyncio.create_task(self._follow(ticking), name=f"cron {ticking.name}"))

    @property
    def _box(self) -> CronBox:
        box = self._services.crons
        if box is None:
            raise RuntimeError("nobody takes turns here")
        return box

    async def now(self, function: str) -> None:
        """Run one now, whatever other workers do. Raises `KeyError`."""
        await self._run(self._known[function], int(self._services.clock.now()))

    def stop(self) -> None:
        """Nothing is started any more; what runs goes on."""
        while self._waiting:
            self._waiting.pop().cancel()

    async def end(self) -> None:
        """Nothing runs any more."""
        self.stop()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _follow(self, ticking: Ticking) -> None:
        clock = self._services.clock
        due = await self._missed(ticking) or ticking.handler.after(clock.now())
        while due:
            await self._reach(due)
            task = asyncio.create_task(self._turn(ticking, due), name=f"cron run {ticking.name}")
            self._running.add(task)
            task.add_done_callback(self._running.discard)
            due = ticking.handler.after(max(due, clock.now() - LATE))

    async def _reach(self, due: int) -> None:
        # Nothing tells when the machine's clock is set, so it is looked at again and again.
        while (left := due - self._services.clock.now()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(min(left, LOOK))

    async def _missed(self, ticking: Ticking) -> int:
        """When it was due a moment ago and nobody ran it, though it has been run before; 0 when all is well."""
        due = ticking.handler.last(self._services.clock.now(), LATE)
        if not due:
            return 0
        with suppress(EngineUnavailable, ReplyError):
            last = await self._box.last(ticking.name)
            return due if 0 < last <= due else 0
        return 0

    async def _turn(self, ticking: Ticking, due: int) -> None:
        """Run it if it is ours; else wait until it is done, or ours because its worker died."""
        ran = False
        while self._services.clock.now() - due < ticking.handler.timeout + LATE:
            try:
                turn = await self._box.take(ticking.name, due, self._by)
                if turn is Turn.OURS:
                    if not ran:  # else only that it is done could not be said
                        ran = True
                        await self._run_ours(ticking, due)
                    await self._box.done(ticking.name, due, self._by)
                if turn is not Turn.OTHERS:
                    return
            except (EngineUnavailable, ReplyError) as error:
                log.warning("%s is due and can't be run now: %s", ticking.name, error)
            await asyncio.sleep(LEASE / 5)

    async def _run_ours(self, ticking: Ticking, due: int) -> None:
        renewing = asyncio.create_task(self._renew(ticking, due), name=f"cron lease {ticking.name}")
        try:
            await self._run(ticking, due)
        finally:
            renewing.cancel()

    async def _run(self, ticking: Ticking, due: int) -> None:
        cron, app = ticking.handler, ticking.app
        outbox = Outbox(f"cron|{due}", app.id, cron.name, self._services, of_event=False)
        acting = app.acting_for(outbox)
        ticking.life.enter()
        try:
            work = cron.function(acting) if cron.is_async else self._threads.run(partial(cron.function, acting))
            await self._runs.watch(ticking, work)
        except BaseException as error:
            if must_leave(error):
                raise
            app.log.error("%s, due at %d, failed", ticking.name, due, exc_info=error)
        finally:
            ticking.life.leave()

    async def _renew(self, ticking: Ticking, due: int) -> None:
        while True:
            await asyncio.sleep(LEASE / 3)
            with suppress(EngineUnavailable, ReplyError):
                await self._box.take(ticking.name, due, self._by)

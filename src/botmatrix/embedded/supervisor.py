"""`botmatrix up`: engines first, then the parts; stopped in the opposite order."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from botmatrix.clock import Clock, SystemClock
from botmatrix.config import Home, Secret, Settings
from botmatrix.embedded import running
from botmatrix.embedded.child import Child, ChildState
from botmatrix.embedded.journal import Journal
from botmatrix.embedded.lock import hold
from botmatrix.embedded.postgres import Postgres
from botmatrix.embedded.process import Program, raise_file_limit
from botmatrix.embedded.running import Running
from botmatrix.embedded.valkey import Valkey
from botmatrix.errors import EngineUnavailable

_log = structlog.get_logger()

ENGINES = 0
"""The stage of the engines; parts have higher ones."""
CONFIGURATION = 78
_POLL = 0.02
_PATIENCE = 10.0
"""Seconds after which a start that is still going on is mentioned."""
_GIVE_UP_AFTER = 3
"""Failed starts of an engine before `up` gives up; once up, it is started again for ever."""


class Engine(Protocol):
    """An engine that runs as a child."""

    name: str
    title: str

    @property
    def url(self) -> Secret: ...
    async def prepare(self) -> Program: ...
    async def ready(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Part:
    """A part of BotMatrix: its name in the log and its command line. Parts of one `stage` stop together."""

    name: str
    argv: tuple[str, ...]
    stage: int
    env: Mapping[str, str]
    grace: float = 20.0


class Supervisor:
    """Runs everything on one data folder until it is told to stop.

    `before` runs when the data folder is ours and may raise. `parts` start in their order, then `on_ready` is
    called; the highest stage stops first.
    """

    def __init__(
        self,
        settings: Settings,
        parts: Sequence[Part],
        *,
        environment: Mapping[str, str],
        before: Callable[[], None] = lambda: None,
        on_ready: Callable[[], Awaitable[None]] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._settings, self._parts, self._environment = settings, parts, environment
        self._before, self._on_ready = before, on_ready
        self._clock = clock or SystemClock()
        self._journal = Journal(settings.home)
        self._stages: dict[int, list[Child]] = {}
        self._stop = asyncio.Event()
        self._exit_code = 0

    async def run(self) -> int:
        """The whole life: the exit code. Raises `HomeTaken`, `EngineUnavailable`."""
        with hold(self._settings.home), self._signals():
            raise_file_limit()
            for name in await asyncio.to_thread(self._journal.stop_leftovers):
                _log.warning("stopped what an earlier run left behind", left=name)
            self._before()
            try:
                async with asyncio.TaskGroup() as group:
                    try:
                        await self._start(group)
                        await self._stop.wait()
                    finally:
                        await self._stop_all()
            except* EngineUnavailable as errors:
                raise _first(errors) from None
            finally:
                running.withdraw(self._settings.home)
        return self._exit_code

    def stop(self) -> None:
        """Begin the ordered stop; called again, the parts are killed instead of asked."""
        if self._stop.is_set():
            for child in self._part_children():
                child.kill()
        self._stop.set()

    async def _start(self, group: asyncio.TaskGroup) -> None:
        found = await self._start_engines(group)
        if self._stop.is_set():
            return
        running.publish(self._settings.home, found)
        urls = {"REDIS_URL": str(found.redis_url), "DATABASE_URL": str(found.database_url)}
        for part in self._parts:
            env = {**self._environment, **part.env, **urls}
            self._keep(group, Program(part.name, part.argv, env, grace=part.grace), part.stage)
        if self._on_ready is not None:
            group.create_task(self._announce(self._on_ready))

    async def _announce(self, on_ready: Callable[[], Awaitable[None]]) -> None:
        """Whatever waits for readiness ends with the stop."""
        ready = asyncio.ensure_future(on_ready())
        stopped = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({ready, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            ready.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ready

    async def _start_engines(self, group: asyncio.TaskGroup) -> Running:
        """Those that no URL is set for, side by side."""
        settings = self._settings
        valkey, postgres = embedded_engines(settings.home)
        missing: list[Engine] = [] if settings.redis_url else [valkey]
        missing += [] if settings.database_url else [postgres]
        async with asyncio.TaskGroup() as starts:
            for engine in missing:
                starts.create_task(self._start_engine(group, engine))
        return Running(
            redis_url=settings.redis_url or valkey.url,
            database_url=settings.database_url or postgres.url,
            ws_port=settings.ws_port,
            webui_port=settings.webui_port,
        )

    async def _start_engine(self, group: asyncio.TaskGroup, engine: Engine) -> None:
        try:
            child = self._keep(group, await engine.prepare(), ENGINES)
        except OSError as error:
            cure = "Is the disk full, or the data folder not yours? Else start BotMatrix as an ordinary user"
            raise EngineUnavailable(engine.title, str(error), cure) from error
        mention = self._clock.monotonic() + _PATIENCE
        while not self._stop.is_set() and not await engine.ready():
            if child.failures >= _GIVE_UP_AFTER:
                raise EngineUnavailable(engine.title, child.last_words, f"More is in {self._settings.home.logs}")
            if self._clock.monotonic() > mention:
                _log.info("still starting", part=engine.name, said=child.last_words)
                mention += _PATIENCE
            await asyncio.sleep(_POLL)

    def _keep(self, group: asyncio.TaskGroup, program: Program, stage: int) -> Child:
        child = Child(
            program,
            engine=stage == ENGINES,
            journal=self._journal,
            clock=self._clock,
            on_final=self._ended_for_good,
        )
        self._stages.setdefault(stage, []).append(child)
        group.create_task(child.keep(), name=program.name)
        return child

    def _ended_for_good(self, name: str, code: int) -> None:
        """A wrong setting ends everything: half a matrix would only hide it. A superseded part stays away."""
        others = (child for child in self._part_children() if child.program.name != name)
        if code == CONFIGURATION or all(child.state is ChildState.ENDED for child in others):
            self._exit_code = code
            self._stop.set()

    def _part_children(self) -> list[Child]:
        return [child for stage, children in self._stages.items() if stage > ENGINES for child in children]

    async def _stop_all(self) -> None:
        for stage in sorted(self._stages, reverse=True):
            await asyncio.gather(*(child.stop() for child in self._stages[stage]))
        _log.info("stopped")

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as `nohup` sets it
            numbers.append(signal.SIGHUP)
        for number in numbers:
            loop.add_signal_handler(number, self.stop)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)


def _first(errors: BaseExceptionGroup[EngineUnavailable]) -> EngineUnavailable:
    found = errors.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found


def embedded_engines(home: Home) -> tuple[Valkey, Postgres]:
    """Both engines of a data folder, not started."""
    secrets = home.secret_values()
    return (
        Valkey(home, secrets["redis_password"]),
        Postgres(home, secrets["postgres_password"], secrets["postgres_owner_password"]),
    )

"""`Sim`: a worker with a few plugins, on real engines, and a chat platform that the test plays."""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from sqlalchemy import delete, text
from sqlalchemy.ext.asyncio import AsyncSession

from botmatrix.bus.client import Client
from botmatrix.bus.keys import Keys
from botmatrix.clock import SystemClock
from botmatrix.config import load
from botmatrix.core.plugin_settings import Configured
from botmatrix.store.plugin_values import PluginValues
from botmatrix.store.tables import PluginValue
from botmatrix.testing.chat import TIMEOUT, Chat, Place
from botmatrix.testing.engines import Engines, engines
from botmatrix.testing.stage import WORKER, Called, Stage
from botmatrix.worker.drain import Drain
from botmatrix.worker.incarnation import new_incarnation
from botmatrix.worker.links import Links
from botmatrix.worker.options import Options
from botmatrix.worker.plugins.blocked import blame
from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.info import PluginState
from botmatrix.worker.plugins.source import Source
from botmatrix.worker.report import Report
from botmatrix.worker.services import WorkerServices
from botmatrix.worker.tally import Tally
from botmatrix.worker.watchdog import Watchdog
from botmatrix.worker.worker import Worker

log = logging.getLogger(__name__)
_START: Final = 30.0


class Sim:
    """`async with Sim("plugins/weather.py") as sim`: the plugins of these files and folders, as in a worker.

    `settings`: of the worker, by their keys, such as `chat_admins=["qq:123"]`. `configured`: the settings of plugins,
    by their ids. The bot is `qq:10001`; `groups` are those that it is in besides those where somebody spoke. Valkey and
    PostgreSQL are the embedded ones; they are started once, and empty for each Sim. Use one Sim at a time.
    """

    bot: Final = "qq:10001"
    self_id: Final = 10001

    def __init__(
        self,
        *plugins: str | Path,
        configured: Mapping[str, Mapping[str, Any]] | None = None,
        groups: tuple[int, ...] = (),
        **settings: Any,
    ) -> None:
        self._plugins = [Path(plugin).resolve() for plugin in plugins]
        self._configured, self._groups, self._settings = configured or {}, groups, settings
        self._stack = AsyncExitStack()
        self._stop = asyncio.Event()

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    # -- people -------------------------------------------------------------------------------------------

    def group(self, id: int | str) -> Place:
        """A group; somebody in it: `sim.group(456).user(123)`."""
        return Place(self, id)

    def private(self, user: int | str, *, name: str = "") -> Chat:
        """Somebody who talks to the bot alone."""
        return Chat(self, user, name=name)

    async def happen(self, event: dict[str, Any]) -> None:
        """Any event of the bot's; what is missing of time and ids is filled in."""
        event = {"time": int(time.time()), "self_id": self.self_id, **event}
        group, user = event.get("group_id"), event.get("user_id")
        conv = f"group:{group}" if group else f"private:{user}" if user else "bot"
        await self.stage.put(self.bot, conv, event)

    # -- the platform -------------------------------------------------------------------------------------

    @property
    def called(self) -> list[Called]:
        """Every action that the bot was asked for, messages too, in order: `bot`, `action`, `params`."""
        return self.stage.called

    def answer(self, action: str, data: Any) -> None:
        """From now on the bot answers this action with `data`, with what it gives when called, or fails with it.

        A function gets the parameters; an `ActionFailed` is the failure.
        """
        self.stage.answers[action] = data

    async def tick(self, name: str) -> None:
        """Have the clock start something now: `herald.morning`. Raises `KeyError` when there is no such thing."""
        await self.host.tick(name)

    async def settled(self) -> None:
        """Until all that happened is dealt with, or waits for somebody's answer."""
        async with asyncio.timeout(TIMEOUT):
            while not (self._worker.idle and await self.stage.is_done() and self._worker.idle):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    # -- how ----------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        shared = engines()
        url, keys, clock = await shared.redis(), Keys(), SystemClock()
        home = Path(tempfile.mkdtemp(prefix="botmatrix-sim-home-"))
        self._stack.callback(shutil.rmtree, home, ignore_errors=True)
        settings = load(home, {**self._settings, "redis_url": url, "worker_id": WORKER}, {})
        client, reader = (Client(url, name=f"botmatrix-sim-{purpose}") for purpose in ("stage", "reader"))
        self._stack.push_async_callback(client.close)
        self._stack.push_async_callback(reader.close)
        self.stage = Stage(client, reader, keys)
        await self.stage.open({self.bot: {str(group): "" for group in self._groups}})
        options, inc = Options(worker_id=WORKER), new_incarnation(WORKER)
        links = Links(url, keys, inc, clock)
        report = Report(inc, options, Tally(), Drain())
        services = _Services(settings, clock, links, report.status)
        services.engines, services.configured = shared, self._wanted
        self.host = Host(services)
        self._worker = Worker(url, inc, options, self.host, report, _Patient(blame))
        services.catch_up, services.ask = self._worker.catch_up, self._worker.dialogues.asking
        services.rest, services.set_apart = self._worker.loans.lent, self._worker.set_apart
        for ending in (services.close, links.close, self.host.close):
            self._stack.push_async_callback(ending)
        if shared.has_database:
            await _empty(await shared.database())
        await self._load()
        await self._run(links)

    async def _load(self) -> None:
        for path in self._plugins:
            info = await self.host.load(Source("file", path.stem if path.is_file() else path.name, path))
            if info.state is not PluginState.LOADED:
                raise AssertionError(f"{path} can't be loaded: {info.error}")

    async def _run(self, links: Links) -> None:
        await self._stack.enter_async_context(links.kept())
        playing = asyncio.create_task(self.stage.run(), name="sim platform")
        working = asyncio.create_task(self._worker.run(self._stop), name="sim worker")
        self._stack.push_async_callback(self._end, working, playing)
        async with asyncio.timeout(_START):
            while not await self.stage.is_there():
                if working.done():
                    await working
                await asyncio.sleep(0.01)

    async def _end(self, working: asyncio.Task[None], playing: asyncio.Task[None]) -> None:
        self._stop.set()
        await asyncio.wait([working])
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)
        working.result()

    def _wanted(self, plugin: str) -> Configured:
        return Configured(version=1, values=dict(self._configured.get(plugin, {})))


class _Services(WorkerServices):
    """A worker's, whose PostgreSQL is started when it is needed."""

    engines: Engines

    async def database_url(self) -> str:
        """Of the embedded one."""
        return await self.engines.database()

    def values(self) -> PluginValues:
        """What plugins keep for good."""
        if self._values is None:
            self._values = _Values(self.engines)
        return self._values


class _Values(PluginValues):
    def __init__(self, engines: Engines) -> None:
        super().__init__("", part="sim")
        self._engines = engines

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[AsyncSession]:
        self._url = await self._engines.database()
        async with super()._session() as session:
            yield session


class _Patient(Watchdog):
    """Lets a test stop at a breakpoint."""

    def start(self) -> None:
        """Do not watch."""

    def stop(self) -> None:
        """Nothing to stop."""


async def _empty(url: str) -> None:
    values = PluginValues(url, part="sim")
    try:
        async with values._session() as session:
            await session.execute(delete(PluginValue))
            for schema in await session.scalars(text("SELECT nspname FROM pg_namespace WHERE nspname ~ '^plugin_'")):
                await session.execute(text(f'DROP SCHEMA "{schema}" CASCADE'))
    finally:
        await values.close()

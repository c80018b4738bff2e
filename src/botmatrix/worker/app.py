"""The worker as a part of BotMatrix: the plugin host on top of the lanes, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from botmatrix.bus.client import Client
from botmatrix.bus.follower import Follower
from botmatrix.bus.keys import Keys
from botmatrix.bus.plugins import PluginSettingsState, PluginsState
from botmatrix.bus.skill_asks import SkillCaller
from botmatrix.clock import SystemClock
from botmatrix.config import Current
from botmatrix.vital import must_not_end
from botmatrix.worker.capabilities import Registrar
from botmatrix.worker.drain import Drain
from botmatrix.worker.incarnation import new_incarnation
from botmatrix.worker.links import Links
from botmatrix.worker.options import Options
from botmatrix.worker.plugins.blocked import blame
from botmatrix.worker.plugins.configuring import Configuring
from botmatrix.worker.plugins.fuse import Fuse
from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.isolated.plugin import Isolation
from botmatrix.worker.plugins.isolated.storage import Storage
from botmatrix.worker.plugins.package_cache import PackageCache
from botmatrix.worker.plugins.packages import Packages
from botmatrix.worker.plugins.watch import Watch
from botmatrix.worker.plugins.wishes import Wishes
from botmatrix.worker.report import Report
from botmatrix.worker.services import WorkerServices
from botmatrix.worker.skill_calls import SkillCalls
from botmatrix.worker.skills import Calls, Executing
from botmatrix.worker.tally import Tally
from botmatrix.worker.watchdog import Watchdog
from botmatrix.worker.worker import Worker

log = structlog.get_logger("worker")

PULSE = 0.25
LOADING = 60.0
"""Seconds that a plugin may block the worker while it is loaded at the start; after twice as many the worker ends."""


async def run(current: Current) -> bool:
    """Run one worker until SIGTERM or SIGINT (False), or until it is asked to start again (True). On the main thread.

    Raises `ConfigError` (the id), `EngineUnavailable` (Redis can't be reached at the start), `Superseded` (a newer
    worker with this id).
    """
    settings = current.running
    options = Options(worker_id=settings.worker_id, pool=settings.worker_pool, concurrency=settings.worker_concurrency)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    inc = new_incarnation(options.worker_id)
    clock = SystemClock()
    keys = Keys(options.prefix)
    links = Links(settings.redis_url, keys, inc, clock)
    if settings.record_sessions:
        links.sessions.memory.want()
    report = Report(inc, options, Tally(), Drain())
    services = WorkerServices(settings, clock, links, report.status)
    storage = Storage(settings.redis_url, keys, clock, name=f"botmatrix-plugins-{inc}")
    fuse = Fuse(settings.home.plugin_loads, clock)
    host = Host(services, Isolation(services, storage, envs=settings.home.plugin_envs), fuse)
    report.plugins = lambda: host.ids
    report.details = lambda: [plugin._asdict() for plugin in host.plugins]
    calls: Calls | None = None
    if settings.enable_skill:
        calls = Executing(options.worker_id, host.skills, clock, lambda: services.settings.skill_permissions)
        host.skills.is_on = True
        report.capabilities = host.skills.capabilities
    worker = Worker(settings.redis_url, inc, options, host, report, Watchdog(blame), calls)
    services.catch_up, services.ask, services.rest = worker.catch_up, worker.dialogues.asking, worker.loans.lent
    services.set_apart = worker.set_apart
    if settings.enable_skill:
        services.skills = SkillCalls(SkillCaller(settings.redis_url, keys, inc), worker.loans, clock)
    links.direct.on_acted = worker.report_action
    current.watch(services.take)
    packages = Packages(host, PackageCache(settings.home.packages, links.packages))
    wishes = Wishes(
        *(host, PluginsState(links.plugins, settings.home), packages, worker.tell_plugins), safe=settings.safe_mode
    )
    links.on_plugins = wishes.nudge
    configuring = Configuring(host, PluginSettingsState(links.plugin_settings, settings.home), wishes.told)
    links.on_plugin_settings, services.configured = configuring.nudge, configuring.of

    async def refresh(places: set[str]) -> None:
        await host.refresh(places)
        await wishes.told()

    plugin_work = (wishes, configuring, Watch(settings.plugin_dirs, refresh))
    follower = Follower(current, keys, inc)
    follower.on_restart = stop.set
    following = asyncio.create_task(follower.run(), name="settings")
    following.add_done_callback(must_not_end)
    try:
        await wishes.prepare()
        await configuring.prepare()
        fuse.look_back()
        async with _watched():
            await host.load_all()
        log.info("the worker starts", worker=options.worker_id, plugins=len(report.plugins()))
        keeping = [asyncio.create_task(work.run(), name=type(work).__name__.lower()) for work in plugin_work]
        for task in keeping:
            task.add_done_callback(must_not_end)
        try:
            async with (
                links.kept(),
                _reporting(report, options, Client(settings.redis_url, name=f"botmatrix-skills-{inc}")),
            ):
                await worker.run(stop)
        finally:
            for task in keeping:
                task.cancel()
            await asyncio.gather(*keeping, return_exceptions=True)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await host.close()
        await links.close()
        await services.close()
    log.info("the worker has ended", worker=options.worker_id)
    return follower.restarting


@asynccontextmanager
async def _watched() -> AsyncIterator[None]:
    """Before the worker has its own watchdog: a plugin that never lets go of the loop does not hold it up for ever."""
    watchdog = Watchdog(blame, interrupt_after=LOADING, exit_after=2 * LOADING)
    watchdog.start()
    beating = asyncio.create_task(_beat(watchdog), name="beats while plugins are loaded")
    try:
        yield
    finally:
        beating.cancel()
        watchdog.stop()


async def _beat(watchdog: Watchdog) -> None:
    while True:
        watchdog.beat()
        await asyncio.sleep(PULSE)


@asynccontextmanager
async def _reporting(report: Report, options: Options, redis: Client) -> AsyncIterator[None]:
    """Report the skills meanwhile, if the skill system is on; else nothing is connected."""
    if report.capabilities is None:
        yield
        return
    registrar = Registrar(options.worker_id, redis, Keys(options.prefix), report.capabilities)
    reporting = asyncio.create_task(registrar.run(), name="capabilities")
    try:
        yield
    finally:
        reporting.cancel()
        await asyncio.gather(reporting, return_exceptions=True)
        await redis.close()

"""The control process: serves at once, becomes ready when its engines are there, stops in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator
from typing import Final

import structlog
import uvicorn

from botmatrix.config import Current
from botmatrix.control.asgi import make_app
from botmatrix.control.bootstrap import ensure_administrator
from botmatrix.control.parts import PART, Parts, build
from botmatrix.errors import ConfigError, EngineUnavailable
from botmatrix.store.migrate import upgrade

LONGEST_PAUSE: Final = 10.0
"""Seconds between two tries to prepare the database; the first pauses are shorter."""
GRACE: Final = 5
"""Seconds that open requests have at the end."""
LARGEST_FRAME: Final = 2 * 1024 * 1024
"""Bytes of a WebSocket message from a browser: an image of a megabyte, as base64."""

log = structlog.get_logger(__name__)


async def run(current: Current) -> bool:
    """Serve until SIGTERM or SIGINT (False), or until it is to start again (True).

    Raises `SchemaTooNew` and `ConfigError` (exit 78).
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)
    listener = listen(current.running.control_host, current.running.webui_port)
    parts = build(current)
    try:
        await serve(parts, listener)
    finally:
        listener.close()
        await parts.close()
    return parts.restart.restarting


async def serve(parts: Parts, listener: socket.socket) -> None:
    """Serve on an open socket until a signal; meanwhile prepare the database."""
    server = Server(_configuration(parts))
    parts.restart.on_restart = server.stop
    server.on_shutdown = parts.feed.end
    tasks = [
        asyncio.create_task(prepare(parts), name="prepare"),
        asyncio.create_task(keep_core(parts), name="keep core"),
        asyncio.create_task(keep(parts, parts.settings_keeper.run), name="keep settings"),
        asyncio.create_task(keep(parts, parts.binding_keeper.run), name="keep bindings"),
        asyncio.create_task(parts.restart.run(), name="restart"),
        asyncio.create_task(keep(parts, parts.trace_writer.run), name="write trace"),
        asyncio.create_task(keep(parts, parts.seen_keeper.run), name="keep seen"),
        asyncio.create_task(keep(parts, parts.access.run), name="keep access"),
        asyncio.create_task(keep(parts, parts.shelf.run), name="packages"),
        asyncio.create_task(parts.stats.run(), name="keep stats"),
        asyncio.create_task(keep(parts, parts.retention.run), name="retention"),
        asyncio.create_task(keep(parts, parts.alert_keeper.run), name="alerts"),
        asyncio.create_task(parts.rules.run(parts.schema_ready), name="rules"),
    ]
    for task in tasks:
        task.add_done_callback(server.stop_if_failed)
    host, port = listener.getsockname()[:2]
    log.info("serving", host=host, port=port)
    try:
        await server.serve([listener])
    finally:
        for task in tasks:
            task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def prepare(parts: Parts) -> None:
    """Bring the schema up to date and make the first administrator; as often as it takes.

    Raises `SchemaTooNew`: then this version must not run at all.
    """
    pause = 0.25
    while True:
        try:
            await _prepare_once(parts)
            return
        except EngineUnavailable as error:
            log.warning("not ready yet", reason=str(error))
        # Spread, so that many processes do not come back at the same moment.
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
        pause = min(pause * 2, LONGEST_PAUSE)


async def keep_core(parts: Parts) -> None:
    """Keep the documents the same in PostgreSQL and Redis, once there are tables."""
    await parts.schema_ready.wait()
    await asyncio.gather(*(keeper.run() for keeper in (parts.core, parts.groups, parts.plugins, parts.plugin_settings)))


async def keep(parts: Parts, run: Callable[[], Coroutine[None, None, None]]) -> None:
    """Run something that needs the tables, once there are tables."""
    await parts.schema_ready.wait()
    await run()


async def _prepare_once(parts: Parts) -> None:
    settings = parts.settings
    steps = await upgrade(str(settings.database_url), part=PART)
    if steps:
        log.info("schema brought up to date", steps=steps)
    await parts.settings_keeper.seed(settings.home)
    await ensure_administrator(parts.users, settings.home, str(settings.default_admin_password))
    parts.schema_ready.set()


class Server(uvicorn.Server):
    """uvicorn that ends on a signal without raising it again: the caller says how the process ends.

    `on_shutdown` is called before open requests are waited for: those that would never end must be told to.
    """

    on_shutdown: Callable[[], None] = staticmethod(lambda: None)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.on_shutdown()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def stop(self) -> None:
        """End serving: open requests may finish."""
        self.should_exit = True

    def stop_if_failed(self, task: asyncio.Task[None]) -> None:
        """End serving when a task without which it makes no sense has failed."""
        if not task.cancelled() and task.exception() is not None:
            self.should_exit = True


def _configuration(parts: Parts) -> uvicorn.Config:
    proxies = list(parts.settings.trusted_proxies)
    return uvicorn.Config(
        make_app(parts),
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        server_header=False,
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        ws="websockets-sansio",
        ws_max_size=LARGEST_FRAME,
        timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=75,
    )


def listen(host: str, port: int) -> socket.socket:
    """The listening socket. Raises `ConfigError` when the address can't be had."""
    try:
        listener = socket.create_server((host, port), family=_family(host), backlog=512)
        # Head and body of an answer are two writes: the second would wait until the first is acknowledged, for 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        raise ConfigError("webui_port", f"{host}:{port}", f"an address to listen on ({error.strerror})") from error


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET

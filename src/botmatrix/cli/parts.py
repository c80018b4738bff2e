"""`botmatrix nexus`, `control` and `worker run`: one part in this process."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer

from botmatrix import log
from botmatrix.cli.common import connected_settings, run_async
from botmatrix.cli.stored import refreshed
from botmatrix.config import Current, Settings, is_relayed

Host = Annotated[str | None, typer.Option(help="Address to listen on.", show_default=False)]
Port = Annotated[str | None, typer.Option(help="Port to listen on.", show_default=False)]


def nexus(context: typer.Context, host: Host = None, port: Port = None) -> None:
    """Run the gateway and router alone."""
    from botmatrix.nexus import app

    run_part("nexus", app.run, connected_settings(context, gateway_host=host, ws_port=port))


def control(context: typer.Context, host: Host = None, port: Port = None) -> None:
    """Run the REST interface and the console alone."""
    from botmatrix.control import app

    run_part("control", app.run, connected_settings(context, database=True, control_host=host, webui_port=port))


Run = Callable[[Current], Coroutine[Any, Any, bool]]
"""A part: ends in order, and says whether it was asked to start again."""


def run_part(name: str, run: Run, settings: Settings) -> None:
    """Set logging and limits, then run the part until it is told to stop; asked to, it starts again in place."""
    from botmatrix.embedded.process import calm_collector, raise_file_limit

    raise_file_limit()
    calm_collector()
    with logging(name, settings) as configure:
        again = run_async(lambda: _whole(name, run, settings, configure))
    if again:
        start_again()


async def _whole(name: str, run: Run, settings: Settings, configure: Callable[[Settings], None]) -> bool:
    current = Current(await refreshed(settings, database_first=name == "control"))
    current.watch(configure)
    return await run(current)


@contextmanager
def logging(name: str, settings: Settings) -> Iterator[Callable[[Settings], None]]:
    """Log as the settings say, here and to Redis. What is yielded takes other settings over."""
    from botmatrix.bus.keys import Keys
    from botmatrix.bus.logs import LogShipper

    known: set[str] = set()

    def configure(settings: Settings) -> None:
        known.update(settings.secrets())
        style = "json" if is_relayed() else settings.log_format
        log.configure(part=name, level=settings.log_level, format=style, secrets=known)

    configure(settings)
    shipper = LogShipper(settings.redis_url, Keys())
    log.copy_to(shipper.put)
    shipper.start()
    try:
        yield configure
    finally:
        log.copy_to(None)
        shipper.stop()


def start_again() -> NoReturn:
    """The same command in the same process: whoever started it sees neither an end nor another id."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - our own command line

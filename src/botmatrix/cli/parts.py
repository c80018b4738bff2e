"""`botmatrix nexus`, `control` and `worker run`: one part in this process."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer

from botmatrix import log
from botmatrix.cli.common import connected_settings, run_async
from botmatrix.config import Settings

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


def run_part(name: str, run: Callable[[Settings], Coroutine[Any, Any, None]], settings: Settings) -> None:
    """Set logging and limits, then run the part until it is told to stop."""
    from botmatrix.bus.keys import Keys
    from botmatrix.bus.logs import LogShipper
    from botmatrix.embedded.process import raise_file_limit

    log.configure(part=name, level=settings.log_level, format=settings.log_format, secrets=settings.secrets())
    raise_file_limit()
    shipper = LogShipper(settings.redis_url, Keys())
    log.copy_to(shipper.put)
    shipper.start()
    try:
        run_async(lambda: run(settings))
    finally:
        log.copy_to(None)
        shipper.stop()

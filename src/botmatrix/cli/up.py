"""`botmatrix up`: everything, on this machine, from one command."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from botmatrix import log
from botmatrix.cli.common import say, settings_of
from botmatrix.config import RELAYED, Settings, host_id, inherited_environment
from botmatrix.errors import ConfigError

if TYPE_CHECKING:
    from botmatrix.embedded.supervisor import Part

Workers = Annotated[int, typer.Option(min=0, max=64, help="How many workers to run.")]
WsPort = Annotated[str | None, typer.Option(help="Port for bots; else ws_port.", show_default=False)]
WebPort = Annotated[str | None, typer.Option(help="Port of the console; else webui_port.", show_default=False)]

NEXUS, CONTROL, WORKER = 1, 2, 3
"""Stages: what stops later has the lower number, so that workers can still settle and send."""


def up(context: typer.Context, workers: Workers = 1, ws_port: WsPort = None, webui_port: WebPort = None) -> None:
    """Start everything: engines, gateway, console, workers. Ctrl-C stops it in order."""
    settings = with_ports(settings_of(context, ws_port=ws_port, webui_port=webui_port))
    raise typer.Exit(asyncio.run(_up(settings, workers)))


async def _up(settings: Settings, workers: int) -> int:
    from botmatrix.cli.welcome import Welcome
    from botmatrix.embedded.supervisor import Supervisor

    configure_log(settings)
    supervisor = Supervisor(
        settings,
        parts(settings, workers),
        environment=environment(settings),
        before=lambda: refuse_taken_ports(settings),
        on_ready=Welcome(settings, say).run,
    )
    return await supervisor.run()


def configure_log(settings: Settings) -> None:
    """To the terminal, and to HOME/logs."""
    from botmatrix.embedded.logfile import LogFile, Tee

    file = Tee(sys.stdout, LogFile(settings.home.logs / "botmatrix.log"))
    secrets = (*settings.secrets(), *settings.home.secret_values().values())
    log.configure(part="up", level=settings.log_level, format=settings.log_format, secrets=secrets, file=file)


def parts(settings: Settings, workers: int) -> list[Part]:
    """What to run beside the engines."""
    from botmatrix.embedded.supervisor import Part

    command = (sys.executable, "-P", "-m", "botmatrix")
    found = [
        Part("nexus", (*command, "nexus"), NEXUS, {}),
        Part("control", (*command, "control"), CONTROL, {}),
    ]
    for number in range(1, workers + 1):
        name = "worker" if workers == 1 else f"worker-{number}"
        env = {"WORKER_ID": worker_id(settings, number, workers)}
        found.append(Part(name, (*command, "worker", "run"), WORKER, env))
    return found


def worker_id(settings: Settings, number: int, workers: int) -> str:
    """The same at every start, so that a worker finds its own lane again."""
    if settings.source("worker_id") == "default":
        place = hashlib.sha256(str(settings.home.root).encode()).hexdigest()[:4]
        return f"{host_id()}-{place}-{number}"
    return settings.worker_id if workers == 1 else f"{settings.worker_id[:60]}-{number}"


def environment(settings: Settings) -> dict[str, str]:
    """What the parts read their settings from: the same sources, with this command's flags above them."""
    return {
        **inherited_environment(),
        "BOTMATRIX_HOME": str(settings.home.root),
        "WS_PORT": str(settings.ws_port),
        "WEBUI_PORT": str(settings.webui_port),
        RELAYED: "1",
        "PYTHONUNBUFFERED": "1",
    }


def with_ports(settings: Settings) -> Settings:
    """Port 0 becomes a free one, since every part must know it."""
    from botmatrix.embedded.ports import free_port

    return dataclasses.replace(
        settings, ws_port=settings.ws_port or free_port(), webui_port=settings.webui_port or free_port()
    )


def refuse_taken_ports(settings: Settings) -> None:
    """Raises `ConfigError` that names the setting to change."""
    from botmatrix.embedded.ports import problem

    for key, host in (("ws_port", settings.gateway_host), ("webui_port", settings.control_host)):
        port = getattr(settings, key)
        if why := problem(host, port):
            cure = f"a port that is free on {host}: {why}. End that program, or set {key} (or {key.upper()})"
            raise ConfigError(key, port, cure)

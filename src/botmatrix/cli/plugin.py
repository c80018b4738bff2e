"""`botmatrix plugin`: help for who writes plugins."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from botmatrix.cli.common import Json, connected_settings, presence_of, run_async, say, settings_of, show
from botmatrix.errors import BotMatrixError

app = typer.Typer(help="Plugins: list those of the workers, check one.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Plugins."""


@app.command("list")
def list_plugins(context: typer.Context, json: Json = False) -> None:
    """The plugins of every worker, with their state, and what is known of processes of their own."""
    settings = connected_settings(context)

    async def look() -> list[dict[str, Any]]:
        async with presence_of(settings) as presence:
            workers = [worker["id"] for worker in await presence.workers()]
            return [_row(id, plugin) for id in workers for plugin in await presence.plugins(id)]

    columns = ("worker", "id", "version", "state", "pid", "memory_mb", "restarts", "refused", "error")
    show(run_async(look), columns, as_json=json, empty="No worker has told of a plugin.")


def _row(worker: str, plugin: dict[str, Any]) -> dict[str, Any]:
    process = plugin.get("process") or {}
    state = process.get("state") if plugin.get("state") == "loaded" else None
    refused = sum((process.get("refused") or {}).values())
    shown = {"pid": process.get("pid", ""), "restarts": process.get("restarts", ""), "refused": refused or ""}
    memory = round(process["memory"] / (1 << 20), 1) if process.get("memory") else ""
    return {"worker": worker, **plugin, **shown, "memory_mb": memory, "state": state or plugin.get("state", "")}


@app.command()
def check(context: typer.Context, path: Annotated[Path, typer.Argument(help="Folder with a plugin.json.")]) -> None:
    """Start a plugin in any language and send it every message of the protocol; says what it does wrong."""
    from botmatrix.worker.plugins.isolated import check as checking

    envs = settings_of(context).home.plugin_envs
    problems = 0

    async def run() -> None:
        nonlocal problems
        async for finding in checking.check(path.absolute(), envs):
            problems += bool(finding.problem)
            say(f"FAILED  {finding.what}: {finding.problem}" if finding.problem else f"ok      {finding.what}")

    run_async(run)
    if problems:
        raise BotMatrixError(f"{problems} {'thing is' if problems == 1 else 'things are'} wrong with {path}")
    say("It speaks the protocol.")

"""`botmatrix plugin`: which there are, on and off, loaded anew; help for who writes them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from botmatrix.bus.keys import Keys
from botmatrix.cli import packages
from botmatrix.cli.common import Json, connected_settings, presence_of, run_async, say, settings_of, show
from botmatrix.cli.plugin_desk import Rows, desk_of, show_rows
from botmatrix.errors import BotMatrixError

if TYPE_CHECKING:
    from botmatrix.core.plugins import PluginWishes

app = typer.Typer(
    help="Plugins: list, switch on and off, write, install, upgrade, load anew, read their logs.", no_args_is_help=True
)
BY = "command line"
Id = Annotated[str, typer.Argument(help="The plugin's id.")]


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


@app.command()
def enable(context: typer.Context, plugin: Id) -> None:
    """Switch a plugin on, in every worker that has it."""
    from botmatrix.core.plugins import switched

    _change(context, plugin, lambda wishes: switched(wishes, plugin, on=True), "loaded")


@app.command()
def disable(context: typer.Context, plugin: Id) -> None:
    """Switch a plugin off in every worker; what it is at work on is finished."""
    from botmatrix.core.plugins import switched

    _change(context, plugin, lambda wishes: switched(wishes, plugin, on=False), "disabled")


@app.command()
def reload(context: typer.Context, plugin: Id) -> None:
    """Have every worker load a plugin anew; when the new version fails the old one serves on."""
    from botmatrix.core.plugins import reloaded

    _change(context, plugin, lambda wishes: reloaded(wishes, plugin), "")


@app.command()
def safe(context: typer.Context, on: Annotated[str, typer.Argument(help="on or off", metavar="on|off")]) -> None:
    """Have every worker run the plugins that BotMatrix brings along and no others, or all of them again."""
    from botmatrix.core.plugins import in_safe_mode

    if on not in ("on", "off"):
        raise BotMatrixError("say on or off")
    settings = connected_settings(context, database=True)

    async def save() -> None:
        async with desk_of(settings) as desk:
            await desk.keeper.change(lambda wishes: in_safe_mode(wishes, on=on == "on"), BY)

    run_async(save)
    say(f"Safe mode is {on}: see botmatrix plugin list")


@app.command()
def logs(
    context: typer.Context,
    plugin: Id,
    count: Annotated[int, typer.Option("--lines", "-n", min=1, max=5000, help="How many lines at most.")] = 100,
) -> None:
    """The newest lines that a plugin logged, in any worker."""
    from botmatrix.bus.client import Client
    from botmatrix.bus.logs import Logs

    settings = connected_settings(context)

    async def look() -> list[str]:
        client = Client(str(settings.redis_url), name="botmatrix-cli")
        try:
            return [line.text for line in await Logs(client, Keys()).newest()]
        finally:
            await client.close()

    mark = re.compile(rf"  plugin={re.escape(plugin)}(?=\s|$)")
    for line in [text for text in run_async(look) if mark.search(text)][-count:]:
        say(line)


def _change(context: typer.Context, plugin: str, edit: Callable[[PluginWishes], PluginWishes], state: str) -> None:
    """Say what is wanted, and what came of it in each worker."""
    settings = connected_settings(context, database=True)

    async def save() -> Rows:
        async with desk_of(settings) as desk:
            before = await desk.told(plugin)
            if not before and plugin not in (await desk.keeper.current()).config.plugins:
                raise BotMatrixError(f"no worker has a plugin {plugin!r}; see botmatrix plugin list")
            await desk.keeper.change(edit, BY)
            return await desk.settled(plugin, before, before.keys(), lambda row: bool(state) and row["state"] == state)

    show_rows(run_async(save))


def _row(worker: str, plugin: dict[str, Any]) -> dict[str, Any]:
    process = plugin.get("process") or {}
    state = process.get("state") if plugin.get("state") == "loaded" else None
    refused = sum((process.get("refused") or {}).values())
    shown = {"pid": process.get("pid", ""), "restarts": process.get("restarts", ""), "refused": refused or ""}
    memory = round(process["memory"] / (1 << 20), 1) if process.get("memory") else ""
    return {"worker": worker, **plugin, **shown, "memory_mb": memory, "state": state or plugin.get("state", "")}


@app.command()
def check(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="Folder with a plugin.json.")],
    words: Annotated[
        list[str] | None, typer.Option("--say", help="Something to say to it besides; repeatable.")
    ] = None,
) -> None:
    """Start a plugin in any language and send it every message of the protocol; says what it does wrong."""
    from botmatrix.worker.plugins.isolated import check as checking

    envs = settings_of(context).home.plugin_envs
    problems = 0

    async def run() -> None:
        nonlocal problems
        async for finding in checking.check(path.absolute(), envs, words or ()):
            problems += bool(finding.problem)
            say(f"FAILED  {finding.what}: {finding.problem}" if finding.problem else f"ok      {finding.what}")

    run_async(run)
    if problems:
        raise BotMatrixError(f"{problems} {'thing is' if problems == 1 else 'things are'} wrong with {path}")
    say("It speaks the protocol.")


for command in (packages.new, packages.pack, packages.install, packages.packages, packages.upgrade, packages.rollback):
    app.command()(command)
app.command()(packages.grant)
app.command()(packages.remove)

"""`botmatrix plugin`: which there are, on and off, loaded anew; help for who writes them."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from botmatrix.bus.keys import Keys
from botmatrix.cli.common import Json, connected_settings, presence_of, run_async, say, settings_of, show
from botmatrix.config import Settings
from botmatrix.errors import BotMatrixError

if TYPE_CHECKING:
    from botmatrix.control.core_keeper import PluginsKeeper
    from botmatrix.core.plugins import PluginWishes

app = typer.Typer(help="Plugins: list, switch on and off, load anew, read their logs, check one.", no_args_is_help=True)
BY = "command line"
PATIENCE = 20.0
"""Seconds that the workers are waited for."""
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
        async with _keeper(settings) as keeper:
            await keeper.change(lambda wishes: in_safe_mode(wishes, on=on == "on"), BY)

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

    async def save() -> list[dict[str, Any]]:
        async with presence_of(settings) as presence, _keeper(settings) as keeper:

            async def told() -> dict[str, dict[str, Any]]:
                ids = [worker["id"] for worker in await presence.workers()]
                return {id: found for id in ids for found in await presence.plugins(id) if found.get("id") == plugin}

            before = await told()
            if not before and plugin not in (await keeper.current()).config.plugins:
                raise BotMatrixError(f"no worker has a plugin {plugin!r}; see botmatrix plugin list")
            await keeper.change(edit, BY)
            return await _settled(told, before, state)

    for row in run_async(save):
        error = f": {row['error']}" if row.get("error") else ""
        say(f"{row['worker']}  {row['id']} {row.get('version', '')} {row.get('state', '')}{error}".rstrip())


async def _settled(told: Callable[[], Any], before: dict[str, dict[str, Any]], state: str) -> list[dict[str, Any]]:
    """What the workers tell once each of them has acted, or after a while."""
    until = time.monotonic() + PATIENCE
    while True:
        now: dict[str, dict[str, Any]] = await told()
        acted = [id for id, found in now.items() if _has_acted(before.get(id, {}), found, state)]
        if len(acted) == len(now) or time.monotonic() > until:
            return [{**found, "worker": id} for id, found in now.items()]
        await asyncio.sleep(0.2)


def _has_acted(before: dict[str, Any], now: dict[str, Any], state: str) -> bool:
    changed = any(before.get(key) != now.get(key) for key in ("since", "error_at"))
    return changed or bool(state and now.get("state") == state)


@asynccontextmanager
async def _keeper(settings: Settings) -> AsyncIterator[PluginsKeeper]:
    from botmatrix.bus.client import Client
    from botmatrix.bus.plugins import PluginsBox
    from botmatrix.control.core_keeper import PluginsKeeper
    from botmatrix.store.core import PluginDocuments
    from botmatrix.store.engine import Database

    database = Database(str(settings.database_url), part="cli")
    box = PluginsBox(Client(str(settings.redis_url), name="botmatrix-cli"), Keys())
    try:
        yield PluginsKeeper(box, PluginDocuments(database))
    finally:
        await box.close()
        await database.close()


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

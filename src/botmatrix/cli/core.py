"""`botmatrix core`: the judge before routing; who may speak, what may be said."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from botmatrix.cli.common import connected_settings, run_async, say
from botmatrix.cli.tables import Note, caller, tables_of
from botmatrix.config import Settings
from botmatrix.errors import BotMatrixError

if TYPE_CHECKING:
    from botmatrix.control.core_keeper import CoreKeeper

app = typer.Typer(help="The judge before routing: show, set, open, close.", no_args_is_help=True)

Document = Annotated[Path, typer.Argument(help="A JSON file with what is to change; - for standard input.")]


@app.command()
def show(context: typer.Context) -> None:
    """The configuration in force, as JSON."""
    settings = connected_settings(context, database=True)

    async def look() -> str:
        async with _keeper(settings) as (keeper, _):
            return (await keeper.current()).config.model_dump_json(indent=2)

    say(run_async(look))


@app.command("set")
def set_(context: typer.Context, document: Document) -> None:
    """Change what the document names: sections are merged, lists and values replaced."""
    _change(context, _read(document))


@app.command("open")
def open_(context: typer.Context) -> None:
    """Let messages pass again."""
    _change(context, {"system_control": {"open": True}})


@app.command()
def close(context: typer.Context) -> None:
    """Block everything that bots hear; chat administrators' commands still work."""
    _change(context, {"system_control": {"open": False}})


def _change(context: typer.Context, patch: dict[str, Any]) -> None:
    from botmatrix.core.config import changed, difference

    settings = connected_settings(context, database=True)

    async def save() -> tuple[int, bool]:
        async with _keeper(settings) as (keeper, note):
            done = await keeper.change(lambda config: changed(config, patch), caller())
            before, after = difference(done.before, done.config)
            await note("core.change", "core", before=before, after=after)
            return done.version, done.published

    version, published = run_async(save)
    say(
        f"Version {version} is in force." if published else f"Version {version} is kept; Redis gets it when it is back."
    )


def _read(document: Path) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if str(document) == "-" else document.read_text("utf-8")
        found = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise BotMatrixError(f"{document} can't be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise BotMatrixError(f"{document} must hold a JSON object")
    return found


@asynccontextmanager
async def _keeper(settings: Settings) -> AsyncIterator[tuple[CoreKeeper, Note]]:
    """What keeps the configuration, and what writes a change into the operation log. Raises as `tables_of` does."""
    from botmatrix.bus.client import Client
    from botmatrix.bus.core import CoreBox
    from botmatrix.bus.keys import Keys
    from botmatrix.control.core_keeper import CoreKeeper
    from botmatrix.store.core import CoreDocuments
    from botmatrix.store.operations import Operations

    box = CoreBox(Client(str(settings.redis_url), name="botmatrix-cli"), Keys())
    try:
        async with tables_of(settings) as (database, note):
            yield CoreKeeper(box, CoreDocuments(database), Operations(database)), note
    finally:
        await box.close()

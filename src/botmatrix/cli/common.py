"""What all commands share: settings, running a coroutine, showing lists."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from botmatrix.config import Settings, load

if TYPE_CHECKING:
    from botmatrix.bus.presence import Presence

T = TypeVar("T")
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@dataclass(frozen=True, slots=True)
class Globals:
    """Options of the whole command."""

    home: Path | None


def settings_of(context: typer.Context, **flags: Any) -> Settings:
    """The settings, with this command's flags above every other source; warnings go to standard error.

    Raises `ConfigError`.
    """
    settings = load(home_of(context), flags)
    for warning in settings.warnings:
        say(f"botmatrix: {warning}", error=True)
    return settings


def home_of(context: typer.Context) -> Path | None:
    """What `--home` said."""
    found = context.find_object(Globals)
    return found.home if found else None


def connected_settings(context: typer.Context, *, database: bool = False, **flags: Any) -> Settings:
    """The same, with engines: those that are set, else those of a running `up`. Raises `EngineUnavailable`."""
    from botmatrix.embedded.running import connected

    return connected(settings_of(context, **flags), database=database)


def run_async(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine on the loop of production."""
    import uvloop

    return uvloop.run(work())


@asynccontextmanager
async def presence_of(settings: Settings) -> AsyncIterator[Presence]:
    """A look into Redis."""
    from botmatrix.bus.keys import Keys
    from botmatrix.bus.presence import Presence

    presence = Presence(settings.redis_url, Keys(), name="botmatrix-cli")
    try:
        yield presence
    finally:
        await presence.close()


def say(text: str, *, error: bool = False) -> None:
    """A line for people."""
    typer.echo(text, err=error)


def show(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool, empty: str) -> None:
    """A listing: every field as JSON, or some columns as a table."""
    if as_json:
        typer.echo(json.dumps([dict(row) for row in rows], ensure_ascii=False, default=str))
        return
    if not rows:
        say(empty)
        return
    for line in table([[_cell(row.get(column, "")) for column in columns] for row in rows], columns):
        typer.echo(line)


def table(cells: Sequence[Sequence[str]], columns: Sequence[str]) -> list[str]:
    """Columns side by side, as wide as their widest cell."""
    lines = [[column.upper().replace("_", " ") for column in columns], *cells]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def _cell(value: Any) -> str:
    return printable(f"{value:.1f}" if isinstance(value, float) else str(value))


def printable(text: str) -> str:
    """One line that does nothing to a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)

"""`botmatrix queue`: what waits, and what could not be handled."""

from __future__ import annotations

import dataclasses
import re
from typing import Annotated, Any

import typer

from botmatrix.cli.common import Json, connected_settings, presence_of, run_async, say, show
from botmatrix.errors import BotMatrixError

app = typer.Typer(help="Queues: backlog, dead letters.", no_args_is_help=True)

Letter = Annotated[str | None, typer.Argument(help="Id of a dead letter.", show_default=False)]
All = Annotated[bool, typer.Option("--all", help="All dead letters.")]
_LETTER = re.compile(r"\d{1,19}(-\d{1,19})?", re.ASCII)
_UNKNOWN = "there is no dead letter {!r}: see `botmatrix queue dead`"


@app.command()
def stats(context: typer.Context, json: Json = False) -> None:
    """Each lane: its owner, how much waits, and for how long."""
    settings = connected_settings(context)

    async def look() -> list[dict[str, Any]]:
        async with presence_of(settings) as presence:
            return [dataclasses.asdict(queue) for queue in await presence.queues()]

    columns = ("lane", "owner", "alive", "length", "pending", "oldest")
    show(run_async(look), columns, as_json=json, empty="There are no queues yet.")


@app.command()
def dead(
    context: typer.Context,
    json: Json = False,
    count: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, oldest first.")] = 100,
) -> None:
    """Events that could not be handled, and why."""
    settings = connected_settings(context)

    async def look() -> list[dict[str, Any]]:
        async with presence_of(settings) as presence:
            letters = await presence.dead(count=count)
        readable = ({"payload": letter.payload.decode(errors="replace")} for letter in letters)
        return [{**dataclasses.asdict(letter), **text} for letter, text in zip(letters, readable, strict=True)]

    show(run_async(look), ("id", "reason", "lane"), as_json=json, empty="There are no dead letters.")


@app.command()
def replay(context: typer.Context, id: Letter = None, all: All = False) -> None:
    """Handle a dead letter again, under its own event id."""
    one_or_all(id, all=all)
    settings = connected_settings(context)

    async def put_back() -> int:
        async with presence_of(settings) as presence:
            if id is not None:
                return int(await presence.replay(id))
            done, start = 0, "-"
            while letters := await presence.dead(start=start, count=500):
                done += sum([await presence.replay(letter.id) for letter in letters])
                start = f"({letters[-1].id}"
            return done

    _report(run_async(put_back), "put back", id)


@app.command()
def purge(context: typer.Context, id: Letter = None, all: All = False) -> None:
    """Discard a dead letter."""
    one_or_all(id, all=all)
    settings = connected_settings(context)

    async def discard() -> int:
        async with presence_of(settings) as presence:
            return await presence.purge(id)

    _report(run_async(discard), "discarded", id)


def one_or_all(id: str | None, *, all: bool) -> None:
    """Exactly one of the two, since discarding everything by a slip of the hand would be a pity."""
    if (id is None) != all:
        raise typer.BadParameter("name a dead letter (see `botmatrix queue dead`), or say --all")
    if id is not None and not _LETTER.fullmatch(id):
        raise BotMatrixError(_UNKNOWN.format(id))


def _report(done: int, word: str, id: str | None) -> None:
    if id is not None and not done:
        raise BotMatrixError(_UNKNOWN.format(id))
    say(f"{done} {word}.")

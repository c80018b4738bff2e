"""`botmatrix trace`: the road of one event, or events to choose from."""

from __future__ import annotations

import json as json_module
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from botmatrix.cli.common import Json, connected_settings, printable, run_async, say, show
from botmatrix.cli.tables import tables_of
from botmatrix.config import Settings
from botmatrix.errors import BotMatrixError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from botmatrix.store.tables import Trace

COLUMNS = ("event_id", "at", "bot", "conv", "user_id", "outcome", "reason", "text")
Filter = Annotated[str, typer.Option(show_default=False, help="Of this one only.")]


def trace(
    context: typer.Context,
    event_id: Annotated[str | None, typer.Argument(help="Id of an event; without it, a list.")] = None,
    json: Json = False,
    bot: Filter = "",
    user: Filter = "",
    group: Filter = "",
    text: Annotated[str, typer.Option(show_default=False, help="A part of what was said.")] = "",
    outcome: Annotated[str, typer.Option(show_default=False, help="blocked, failed, silent, ...")] = "",
    hours: Annotated[float, typer.Option(min=0.01, max=100_000, help="How far back to look.")] = 24.0,
    count: Annotated[int, typer.Option(min=1, max=1000, help="At most so many, newest first.")] = 20,
) -> None:
    """What became of an event: its road, and why nobody answered. Without an id: the latest ones."""
    settings = connected_settings(context, database=True)
    if event_id is not None:
        _show_one(settings, event_id, as_json=json)
        return
    wanted = {"bot": bot, "user": user, "group": group, "q": text, "limit": count, **_outcome(outcome)}
    rows = _search(settings, {**wanted, **_span(hours)})
    show([_fields(row) for row in rows], COLUMNS, as_json=json, empty="Nothing was traced in this time.")


def _span(hours: float) -> dict[str, datetime]:
    now = datetime.now(UTC)
    return {"start": now - timedelta(hours=hours), "end": now + timedelta(seconds=1)}


def _outcome(word: str) -> dict[str, int]:
    from botmatrix.control.tracing.outcome import WORDS, outcome_of

    if word and word not in WORDS:
        raise typer.BadParameter(f"outcome: one of {', '.join(WORDS)}")
    return {"outcome": int(outcome_of(word))} if word else {}


def _search(settings: Settings, wanted: dict[str, Any]) -> Sequence[Trace]:
    from botmatrix.store.history import History, Wanted

    async def look() -> Sequence[Trace]:
        async with tables_of(settings) as (database, _):
            return (await History(database).traces(Wanted(**wanted)))[0]

    return run_async(look)


def _show_one(settings: Settings, event_id: str, *, as_json: bool) -> None:
    from botmatrix.control.api.traces import whole

    row = _find(settings, event_id)
    if row is None:
        raise BotMatrixError(f"nothing is known of event {event_id!r}: it was not traced, is gone, or is a second old")
    view = whole(row)
    if as_json:
        say(json_module.dumps(view.model_dump(mode="json"), ensure_ascii=False))
        return
    text = f" “{view.text}”" if view.text else ""
    say(printable(f"{view.bot} {view.conv} {view.kind}{text} of {view.user_id or 'nobody'}: {view.outcome}"))
    if view.why:
        say(printable(view.why))
    for station in view.stations:
        took = f"{station.took:8.1f} ms" if station.took >= 0 else " " * 11
        say(printable(f"  {station.at:%H:%M:%S.%f}"[:-3] + f" {took}  {station.where}  {station.what}"))


def _find(settings: Settings, event_id: str) -> Trace | None:
    from botmatrix.bus.event_id import is_event_id, second_of
    from botmatrix.store.history import History

    if not is_event_id(event_id):
        raise BotMatrixError(f"{event_id!r} is no event's id: 24 hexadecimal digits, see `botmatrix trace`")

    async def look() -> Trace | None:
        async with tables_of(settings) as (database, _):
            return await History(database).trace(event_id, datetime.fromtimestamp(second_of(event_id), UTC))

    return run_async(look)


def _fields(row: Trace) -> dict[str, Any]:
    from botmatrix.control.api.traces import view

    return view(row).model_dump(mode="json")

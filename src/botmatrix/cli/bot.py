"""`botmatrix bot`: the bots of this matrix."""

from __future__ import annotations

import typer

from botmatrix.cli.common import Json, connected_settings, presence_of, run_async, show

app = typer.Typer(help="Bots: list them.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Bots: list them."""


@app.command("list")
def list_bots(context: typer.Context, json: Json = False) -> None:
    """Every bot that was ever connected, and its state."""
    settings = connected_settings(context)

    async def look() -> list[dict[str, str]]:
        async with presence_of(settings) as presence:
            bots, alive = await presence.bots(), await presence.living_nexuses()
        return [one if one.get("nexus") in alive else {**one, "state": "offline"} for one in bots]

    columns = ("bot", "state", "nickname", "nexus", "received", "sent")
    empty = "No bot has been here yet. Try: botmatrix sim"
    show(run_async(look), columns, as_json=json, empty=empty)

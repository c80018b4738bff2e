"""`botmatrix worker`: run one, list them, drain one."""

from __future__ import annotations

from typing import Annotated

import typer

from botmatrix.cli.common import Json, connected_settings, presence_of, run_async, say, show
from botmatrix.cli.parts import run_part
from botmatrix.errors import BotMatrixError

app = typer.Typer(help="Workers: run one, list, drain.", no_args_is_help=False)

Id = Annotated[str | None, typer.Option("--id", help="This worker's id.", show_default=False)]
Pool = Annotated[str | None, typer.Option(help="The pool it belongs to.", show_default=False)]
Concurrency = Annotated[int | None, typer.Option(help="Events handled at once.", show_default=False)]


@app.callback(invoke_without_command=True)
def default(context: typer.Context) -> None:
    """Workers run plugins. Without a further word, one runs in this process."""
    if context.invoked_subcommand is None:
        run(context)


@app.command()
def run(
    context: typer.Context,
    id: Id = None,
    pool: Pool = None,
    concurrency: Concurrency = None,
    safe: Annotated[bool, typer.Option("--safe", help="Only with the plugins that BotMatrix brings along.")] = False,
) -> None:
    """Run one worker in this process."""
    from botmatrix.worker import app as worker

    settings = connected_settings(
        context, worker_id=id, worker_pool=pool, worker_concurrency=concurrency, safe_mode=safe or None
    )
    run_part("worker", worker.run, settings)


@app.command("list")
def list_workers(context: typer.Context, json: Json = False) -> None:
    """Workers that are there. Times: until an event is settled (mean, 95th percentile), before its handler, in it."""
    settings = connected_settings(context)

    async def look() -> list[dict[str, str]]:
        async with presence_of(settings) as presence:
            return await presence.workers()

    columns = (
        *("id", "pool", "transport", "in_flight", "handled"),
        *("response_ms", "response_p95_ms", "waiting_ms", "handling_ms", "draining"),
    )
    show(run_async(look), columns, as_json=json, empty="No worker is running.")


@app.command()
def drain(
    context: typer.Context,
    id: Annotated[str, typer.Argument(help="The worker's id.")],
    undo: Annotated[bool, typer.Option("--undo", help="Let it take events again.")] = False,
) -> None:
    """Have a worker finish what it has and take nothing new."""
    settings = connected_settings(context)

    async def ask() -> bool:
        async with presence_of(settings) as presence:
            known = {worker["id"] for worker in await presence.workers()}
            if id in known:
                await presence.drain(id, on=not undo)
            return id in known

    if not run_async(ask):
        raise BotMatrixError(f"no worker named {id!r} is running: see `botmatrix worker list`")
    say(f"{id} takes events again." if undo else f"{id} finishes what it has and takes nothing new.")

"""`botmatrix db`: the tables in PostgreSQL."""

from __future__ import annotations

import typer

from botmatrix.cli.common import connected_settings, run_async, say

app = typer.Typer(help="The tables in PostgreSQL: upgrade.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """The tables in PostgreSQL: upgrade."""


@app.command()
def upgrade(context: typer.Context) -> None:
    """Bring the tables up to date, as control does when it starts; all or nothing, safe to repeat."""
    settings = connected_settings(context, database=True)

    async def take() -> list[str]:
        from botmatrix.store.migrate import upgrade as take_steps

        return await take_steps(str(settings.database_url), part="cli")

    steps = run_async(take)
    say(f"Brought up to date: {', '.join(steps)}." if steps else "The tables are up to date.")

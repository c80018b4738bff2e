"""`botmatrix db`: the tables in PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from botmatrix.cli.common import connected_settings, run_async, say
from botmatrix.cli.tables import caller, tables_of

if TYPE_CHECKING:
    from botmatrix.store.backup_file import Manifest

app = typer.Typer(help="The tables in PostgreSQL: upgrade, backup, restore.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """The tables in PostgreSQL: upgrade, backup, restore."""


@app.command()
def upgrade(context: typer.Context) -> None:
    """Bring the tables up to date, as control does when it starts; all or nothing, safe to repeat."""
    settings = connected_settings(context, database=True)

    async def take() -> list[str]:
        from botmatrix.store.migrate import upgrade as take_steps

        return await take_steps(str(settings.database_url), part="cli")

    steps = run_async(take)
    say(f"Brought up to date: {', '.join(steps)}." if steps else "The tables are up to date.")


@app.command()
def backup(context: typer.Context, file: Annotated[Path, typer.Argument(help="A file that is not there yet.")]) -> None:
    """Copy users, rules, settings, bots and the operation log into one file; everything may go on running.

    It holds password hashes and tokens, readable by its owner alone. Left out are logins, what Redis holds, and files.
    """
    settings = connected_settings(context, database=True)

    async def copy() -> Manifest:
        from botmatrix.store import backup as store

        async with tables_of(settings) as (_, note):
            made = await store.backup(str(settings.database_url), file)
            await note("db.backup", file.name, after=made.tables)
            return made

    made = run_async(copy)
    say(f"{sum(made.tables.values())} rows of {len(made.tables)} tables are in {file} (schema {made.schema}).")


@app.command()
def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="What `db backup` made.", exists=True, dir_okay=False)],
    only: Annotated[str, typer.Option(help="Parts with commas between, such as users,rules; else all.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Put a backup in the place of what is there, in one step; a damaged or newer file changes nothing."""
    from botmatrix.store.backup import examine
    from botmatrix.store.backup_plan import tables_of as tables_of_parts

    settings = connected_settings(context, database=True)
    parts = [part.strip() for part in only.split(",") if part.strip()]
    names = ", ".join(table.name for table in tables_of_parts(parts))
    examine(file)
    if not yes:
        typer.confirm(f"Replace what is in {names}?", abort=True)

    async def put_back() -> dict[str, int]:
        from botmatrix.control.restore import restore as put

        async with tables_of(settings) as (_, note):
            done = await put(str(settings.database_url), settings.redis_url, file, parts)
            await note("db.restore", file.name, after={"by": caller(), "tables": done})
            return done

    done = run_async(put_back)
    say(f"{sum(done.values())} rows are back: {', '.join(f'{name} {rows}' for name, rows in done.items())}.")

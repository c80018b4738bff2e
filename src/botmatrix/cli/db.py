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
    """Copy users, rules, settings, bots, tasks, plugins and their tables, and the operation log into one file.

    Everything may go on running. The file holds password hashes and tokens, readable by its owner alone. Left out are
    logins, what was said, what Redis holds, and files.
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
    _warn(made)


@app.command()
def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="What `db backup` made.", exists=True, dir_okay=False)],
    only: Annotated[
        str, typer.Option(help="Parts with commas between, such as users,rules,tables:bank; else all.")
    ] = "",
    without: Annotated[str, typer.Option(help="Parts that are left as they are, such as tables:bank.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Put a backup in the place of what is there, in one step; a damaged or newer file changes nothing.

    Parts are users, rules, core, settings, bots, audit, alerts, tasks, plugins, and tables: those that plugins have of
    their own (tables:bank: of one plugin). Tasks come back paused. The steps that make a plugin's tables are done if
    none was, so restore only what you trust as you trust plugins.
    """
    from botmatrix.store.backup import examine, name_of, restored
    from botmatrix.store.backup_plan import choose

    settings = connected_settings(context, database=True)
    choice = choose(_named(only), _named(without))
    manifest = examine(file, choice)
    if not yes:
        typer.confirm(f"Replace what is in {', '.join(map(name_of, restored(manifest, choice)))}?", abort=True)

    async def put_back() -> dict[str, int]:
        from botmatrix.control.restore import restore as put

        async with tables_of(settings) as (_, note):
            done = await put(str(settings.database_url), settings.redis_url, file, choice)
            await note("db.restore", file.name, after={"by": caller(), "tables": done})
            return done

    done = run_async(put_back)
    rows = ", ".join(f"{name_of(name)} {rows}" for name, rows in done.items())
    say(f"{sum(done.values())} rows are back: {rows}.")
    if done.get("tasks"):
        say("Tasks that were on are paused: switch on those that are still wanted (`botmatrix task list`).")
    _warn(manifest)


def _named(parts: str) -> list[str]:
    return [part.strip() for part in parts.split(",") if part.strip()]


def _warn(manifest: Manifest) -> None:
    """Say loudly what is not in the file."""
    for schema, why in manifest.skipped.items():
        plugin = schema.removeprefix("plugin_")
        say(
            f"botmatrix: WARNING: the tables of the plugin {plugin} are NOT in the backup: {why}. "
            f"Keep them by pg_dump -n '{schema}'",
            error=True,
        )

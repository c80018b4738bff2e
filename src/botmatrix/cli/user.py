"""`botmatrix user`: people who may log in to the console."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from botmatrix.cli.common import Json, connected_settings, run_async, say, show
from botmatrix.config import Settings

if TYPE_CHECKING:
    from botmatrix.store.users import Users

app = typer.Typer(help="People who may log in: add, passwd, list, disable.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The name they log in with.")]
RoleName = Annotated[str, typer.Option(help="owner, admin, operator or viewer.")]


@app.command()
def add(context: typer.Context, name: Name, role: RoleName = "viewer") -> None:
    """Add a person. The password is asked for, or read from standard input."""
    from botmatrix.store.tables import Role

    if role not in tuple(Role):
        raise typer.BadParameter(f"a role is one of {', '.join(Role)}", param_hint="--role")
    settings, password = connected_settings(context, database=True), new_password()

    async def create() -> None:
        async with users_of(settings) as users:
            await users.create(name, password, Role(role))

    run_async(create)
    say(f"{name} may log in as {role}.")


@app.command()
def passwd(context: typer.Context, name: Name) -> None:
    """Set a new password; whoever is logged in under that name is logged out."""
    from botmatrix.control.bootstrap import forget_first_password

    settings, password = connected_settings(context, database=True), new_password()

    async def change() -> None:
        async with users_of(settings) as users:
            await users.set_password(name, password)
        forget_first_password(settings.home, name)

    run_async(change)
    say(f"{name} has a new password.")


@app.command("list")
def list_users(context: typer.Context, json: Json = False) -> None:
    """People who may log in."""
    settings = connected_settings(context, database=True)

    async def look() -> list[dict[str, Any]]:
        async with users_of(settings) as users:
            found, _ = await users.list(limit=10_000)
            return [{"username": u.username, "role": str(u.role), "disabled": u.disabled} for u in found]

    show(run_async(look), ("username", "role", "disabled"), as_json=json, empty="There is nobody yet.")


@app.command()
def disable(
    context: typer.Context,
    name: Name,
    undo: Annotated[bool, typer.Option("--undo", help="Let them in again.")] = False,
) -> None:
    """Bar a person; their sessions end at once."""
    settings = connected_settings(context, database=True)

    async def change() -> None:
        async with users_of(settings) as users:
            await (users.enable(name) if undo else users.disable(name))

    run_async(change)
    say(f"{name} may log in again." if undo else f"{name} can't log in any more.")


@asynccontextmanager
async def users_of(settings: Settings) -> AsyncIterator[Users]:
    """The table of users."""
    from botmatrix.store.engine import Database
    from botmatrix.store.passwords import Passwords
    from botmatrix.store.users import Users

    database = Database(str(settings.database_url), part="cli")
    try:
        yield Users(database, Passwords())
    finally:
        await database.close()


def new_password() -> str:
    """Typed twice without an echo, or one line of standard input; never an argument, which others can read."""
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\n")

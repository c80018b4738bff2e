"""`botmatrix user`: people who may log in to the console."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from botmatrix.cli.common import Json, connected_settings, run_async, say, show
from botmatrix.cli.tables import Note, tables_of
from botmatrix.config import Settings

if TYPE_CHECKING:
    from botmatrix.store.tables import Role
    from botmatrix.store.users import Users

app = typer.Typer(help="People who may log in: add, passwd, list, role, disable.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The name they log in with.")]
RoleName = Annotated[str, typer.Option(help="owner, admin, operator or viewer.")]


@app.command()
def add(context: typer.Context, name: Name, role: RoleName = "viewer") -> None:
    """Add a person. The password is asked for, or read from standard input."""
    wanted = known_role(role, "--role")
    settings, password = connected_settings(context, database=True), new_password()

    async def create() -> None:
        async with users_of(settings) as (users, note):
            user = await users.create(name, password, wanted)
            await note("user.create", user.username, after={"role": user.role})

    run_async(create)
    say(f"{name} may log in as {role}.")


@app.command()
def passwd(context: typer.Context, name: Name) -> None:
    """Set a new password; whoever is logged in under that name is logged out."""
    from botmatrix.control.bootstrap import forget_first_password

    settings, password = connected_settings(context, database=True), new_password()

    async def change() -> None:
        async with users_of(settings) as (users, note):
            user = await users.set_password(name, password)
            await note("user.password", user.username)
        forget_first_password(settings.home, name)

    run_async(change)
    say(f"{name} has a new password.")


@app.command("list")
def list_users(context: typer.Context, json: Json = False) -> None:
    """People who may log in."""
    settings = connected_settings(context, database=True)

    async def look() -> list[dict[str, Any]]:
        async with users_of(settings) as (users, _):
            found, _total = await users.list(limit=10_000)
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
        async with users_of(settings) as (users, note):
            user = await (users.enable(name) if undo else users.disable(name))
            await note("user.enable" if undo else "user.disable", user.username)

    run_async(change)
    say(f"{name} may log in again." if undo else f"{name} can't log in any more.")


@app.command()
def role(
    context: typer.Context,
    name: Name,
    role: Annotated[str, typer.Argument(help="owner, admin, operator or viewer.")],
) -> None:
    """Give a person another role; it counts at once."""
    wanted = known_role(role, "ROLE")
    settings = connected_settings(context, database=True)

    async def change() -> None:
        async with users_of(settings) as (users, note):
            changed = await users.edit(name, role=wanted)
            before = {"role": changed.role_before}
            await note("user.edit", changed.user.username, before=before, after={"role": wanted})

    run_async(change)
    say(f"{name} is {wanted} now.")


def known_role(name: str, parameter: str) -> Role:
    """A role by its name."""
    from botmatrix.store.tables import Role

    if name not in tuple(Role):
        raise typer.BadParameter(f"a role is one of {', '.join(Role)}", param_hint=parameter)
    return Role(name)


@asynccontextmanager
async def users_of(settings: Settings) -> AsyncIterator[tuple[Users, Note]]:
    """The table of users, and what writes a change into the operation log. Raises as `tables_of` does."""
    from botmatrix.store.passwords import Passwords
    from botmatrix.store.users import Users

    async with tables_of(settings) as (database, note):
        yield Users(database, Passwords()), note


def new_password() -> str:
    """Typed twice without an echo, or one line of standard input; never an argument, which others can read."""
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\n")

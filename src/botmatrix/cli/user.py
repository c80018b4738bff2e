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
    from botmatrix.bus.binding import BindBox
    from botmatrix.store.bindings import Bindings
    from botmatrix.store.tables import Role
    from botmatrix.store.users import Users

app = typer.Typer(
    help="People who may log in: add, passwd, list, role, disable, bind, bindings, unbind.", no_args_is_help=True
)

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


@app.command()
def bind(context: typer.Context, name: Name) -> None:
    """Make a one-time code with which this person becomes themselves in a chat."""
    settings = connected_settings(context, database=True)

    async def make() -> str:
        async with users_of(settings) as (users, note), codes_of(settings) as codes:
            user = await users.get(name)
            code = await codes.offer(user.id)
            await note("user.code", user.username)
            return code

    say(f"Within ten minutes, {name} writes to a bot in private:  /bind {run_async(make)}")


@app.command("bindings")
def list_bindings(context: typer.Context, json: Json = False) -> None:
    """Who in a chat is which user; administrators command the hub from there."""
    settings = connected_settings(context, database=True)

    async def look() -> list[dict[str, Any]]:
        async with bindings_of(settings) as (bindings, _):
            found = await bindings.list()
            return [{"identity": b.row.identity, "username": b.user.username, "counts": b.counts} for b in found]

    show(run_async(look), ("identity", "username", "counts"), as_json=json, empty="Nobody is bound.")


@app.command()
def unbind(
    context: typer.Context,
    identity: Annotated[str, typer.Argument(help="Who, as `bindings` shows them: qq:12345.")],
) -> None:
    """End a binding: they command the hub from chat no more."""
    settings = connected_settings(context, database=True)

    async def change() -> None:
        async with bindings_of(settings) as (bindings, note):
            binding = await bindings.get(identity)
            await bindings.remove(identity)
            await note("user.unbind", identity, before={"username": binding.user.username})

    run_async(change)
    say(f"{identity} is bound no more.")


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


@asynccontextmanager
async def bindings_of(settings: Settings) -> AsyncIterator[tuple[Bindings, Note]]:
    """The table of bindings, as `users_of`."""
    from botmatrix.store.bindings import Bindings

    async with tables_of(settings) as (database, note):
        yield Bindings(database), note


@asynccontextmanager
async def codes_of(settings: Settings) -> AsyncIterator[BindBox]:
    """One-time codes in Redis."""
    from botmatrix.bus.binding import BindBox
    from botmatrix.bus.client import Client
    from botmatrix.bus.keys import Keys

    client = Client(settings.redis_url, name="botmatrix-cli")
    try:
        yield BindBox(client, Keys())
    finally:
        await client.close()


def new_password() -> str:
    """Typed twice without an echo, or one line of standard input; never an argument, which others can read."""
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\n")

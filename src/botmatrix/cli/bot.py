"""`botmatrix bot`: the bots of this matrix."""

from __future__ import annotations

import json as json_text
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from botmatrix.cli.common import Json, connected_settings, presence_of, run_async, say, show
from botmatrix.cli.tables import Note, caller, tables_of
from botmatrix.config import Settings
from botmatrix.errors import BotMatrixError

if TYPE_CHECKING:
    from botmatrix.control.access_keeper import AccessKeeper
    from botmatrix.control.app_config import Application

app = typer.Typer(help="Bots: list, token, kick, config.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="BOT", help="platform:self_id, or a self_id alone for a bot of QQ.")]


@app.callback()
def group() -> None:
    """Bots: list, token, kick, config."""


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


@app.command()
def token(
    context: typer.Context,
    bot: Id,
    set_: Annotated[bool, typer.Option("--set", help="Take the token from standard input.")] = False,
    clear: Annotated[bool, typer.Option("--clear", help="Let the common token count again.")] = False,
) -> None:
    """Give a bot a token of its own and print it, this once; its links with another token are closed."""
    if set_ and clear:
        raise typer.BadParameter("--set and --clear exclude each other")
    key, settings = bot_key(bot), connected_settings(context, database=True)
    given = _typed_token() if set_ else ""

    async def change() -> str:
        async with _access_of(settings) as (access, note):
            what = "set" if set_ else "clear" if clear else "generate"
            made = ""
            if set_:
                await access.set(key, given, caller())
            elif clear:
                await access.clear(key, caller())
            else:
                made = await access.generate(key, caller())
            await note(f"bot.token.{what}", key)
            return made

    made = run_async(change)
    say(made or (f"{key} uses the common token again." if clear else f"{key} has the token that you gave."))


@app.command()
def kick(
    context: typer.Context,
    bot: Id,
    ban: Annotated[float, typer.Option(min=0, max=2_592_000, help="Refuse it for so many seconds; 0: let it.")] = 0.0,
) -> None:
    """Close a bot's links, wherever they are. Most clients come back by themselves, unless it is banned."""
    key, settings = bot_key(bot), connected_settings(context, database=True)

    async def send_away() -> None:
        async with presence_of(settings) as presence:
            if await presence.bot(key) is None:
                raise BotMatrixError(f"no bot {key} was ever here: see `botmatrix bot list`")
        async with _access_of(settings) as (access, note):
            await access.kick(key, caller(), ban=ban)
            await note("bot.kick", key, after={"ban": ban})

    run_async(send_away)
    say(f"{key} is sent away" + (f" and refused for {ban:g} s." if ban else "."))


@app.command()
def config(
    context: typer.Context,
    bot: Id,
    client: Annotated[
        str, typer.Option("--for", help="napcat, llonebot, lagrange, go-cqhttp, nonebot2, koishi or astrbot.")
    ] = "napcat",
) -> None:
    """Print what to paste into the configuration of a bot's client, or of an application that serves the bot.

    It holds the common token if that is the bot's; for an application, the workers' token.
    """
    from botmatrix.control.app_config import Application
    from botmatrix.control.client_config import OWN_TOKEN, Client, Place, gateway_url, ready

    if client not in (*Client, *Application):
        raise typer.BadParameter(f"one of {', '.join((*Client, *Application))}", param_hint="--for")
    key, settings = bot_key(bot), connected_settings(context)
    url = gateway_url(settings.gateway_host, settings.ws_port, "127.0.0.1")
    if client in tuple(Application):
        _print_application(Application(client), key, url, str(settings.worker_token))
        return
    token = OWN_TOKEN if run_async(lambda: _has_own(settings, key)) else str(settings.bot_token)
    made = ready(Client(client), Place(url, key.partition(":")[2], token))
    say(f"{made.file}: {made.note}", error=True)
    typer.echo(made.text, nl=False)


def _print_application(application: Application, bot: str, gateway: str, token: str) -> None:
    from botmatrix.control.app_config import app_entry, app_url, ready_app
    from botmatrix.control.client_config import Place

    made = ready_app(application, Place(app_url(gateway, bot), bot.partition(":")[2], token))
    say(f"{made.file}: {made.note}", error=True)
    typer.echo(made.text, nl=False)
    say("\nTo let the hub dial it (reverse WebSocket), add this to `onebot_apps` in the hub's config.json:", error=True)
    say(json_text.dumps(app_entry(application, bot, token), ensure_ascii=False), error=True)


def bot_key(bot: str) -> str:
    """`platform:self_id` as it is kept."""
    platform, colon, self_id = bot.partition(":")
    if not colon:
        platform, self_id = "qq", bot
    if not platform or not self_id or not bot.isprintable():
        raise typer.BadParameter("a bot is called platform:self_id, as in qq:10001", param_hint="BOT")
    return f"{platform.lower()}:{self_id}"


async def _has_own(settings: Settings, bot: str) -> bool:
    from botmatrix.bus.access import AccessBox, parse
    from botmatrix.bus.client import Client
    from botmatrix.bus.keys import Keys

    redis = Client(settings.redis_url, name="botmatrix-cli")
    try:
        kept = await AccessBox(redis, Keys()).read()
    finally:
        await redis.close()
    return kept is not None and bot in parse(kept.document).tokens


@asynccontextmanager
async def _access_of(settings: Settings) -> AsyncIterator[tuple[AccessKeeper, Note]]:
    from botmatrix.bus.access import AccessBox
    from botmatrix.bus.client import Client
    from botmatrix.bus.keys import Keys
    from botmatrix.control.access_keeper import AccessKeeper
    from botmatrix.store.access import BotAccesses

    redis = Client(settings.redis_url, name="botmatrix-cli")
    try:
        async with tables_of(settings) as (database, note):
            yield AccessKeeper(AccessBox(redis, Keys()), BotAccesses(database)), note
    finally:
        await redis.close()


def _typed_token() -> str:
    """Typed without an echo, or one line of standard input; never an argument, which others can read."""
    if sys.stdin.isatty():
        return str(typer.prompt("Token", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\n")

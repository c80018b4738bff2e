"""Who may connect as a bot: tokens of its own, sending it away, configuration for its client."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from botmatrix.control.api.bots import find, key_of
from botmatrix.control.app_config import Application, app_entry, app_url, ready_app
from botmatrix.control.audit import Noting
from botmatrix.control.auth import ADMIN, OPERATOR, VIEWER, Asker
from botmatrix.control.client_config import OWN_TOKEN, Client, Place, gateway_url, ready
from botmatrix.control.errors import ApiError, protected
from botmatrix.control.parts import Parts, UsedParts
from botmatrix.store.tables import Role

router = APIRouter(prefix="/api/bots/{bot}", tags=["bots"])

LONGEST_BAN = 30 * 86_400
_HIDDEN = "ASK-AN-OPERATOR-FOR-THE-TOKEN"


class TokenChange(BaseModel):
    """`set` needs `token`; `clear` lets the common token count again. `client`: answer its configuration too."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["generate", "set", "clear"] = "generate"
    token: str = Field("", repr=False)
    client: Client | None = None


class ClientConfig(BaseModel):
    """A file for a bot's client, or for an application of the bot. `complete` is false while somebody has to put the
    token in. `onebot_app`: for an application, the entry of `onebot_apps` by which the hub dials it instead.
    """

    success: Literal[True] = True
    bot: str
    client: Client | Application
    file: str
    text: str
    note: str
    url: str
    complete: bool
    onebot_app: dict[str, Any] | None = None


class TokenAnswer(BaseModel):
    """`token` is shown this once and is nowhere else; empty unless it was generated."""

    success: Literal[True] = True
    bot: str
    own: bool
    token: str = ""
    config: ClientConfig | None = None


class Kick(BaseModel):
    """`ban`: seconds for which the bot is refused; 0 ends an earlier ban too."""

    model_config = ConfigDict(extra="forbid")

    ban: float = Field(0.0, ge=0, le=LONGEST_BAN, allow_inf_nan=False)


class Kicked(BaseModel):
    """What the bot's state was."""

    success: Literal[True] = True
    bot: str
    was: str
    ban: float


@router.post("/token", responses=protected(404), dependencies=[ADMIN])
async def change_token(
    bot: str, body: TokenChange, request: Request, parts: UsedParts, asker: Asker, note: Noting
) -> TokenAnswer:
    """Give a bot a token of its own, which then counts in place of the common one, or take it away.

    The bot need not have been here yet. Its links with a token that is not good any more are closed (4003).
    """
    key, by = key_of(bot), asker.user.username
    token = body.token
    if body.action == "generate":
        token = await parts.access.generate(key, by)
    elif body.action == "set":
        await parts.access.set(key, token, by)
    else:
        await parts.access.clear(key, by)
        token = str(parts.settings.bot_token)
    note.say(f"bot.token.{body.action}", key)
    config = _config(request, parts, key, body.client, token) if body.client else None
    shown = token if body.action == "generate" else ""
    return TokenAnswer(bot=key, own=body.action != "clear", token=shown, config=config)


@router.post("/kick", responses=protected(404), dependencies=[OPERATOR])
async def kick(bot: str, body: Kick, parts: UsedParts, asker: Asker, note: Noting) -> Kicked:
    """Close the bot's links (4010), at whichever nexus; clients come back by themselves unless it is banned too."""
    found = await find(parts, bot)
    await parts.access.kick(found.bot, asker.user.username, ban=body.ban)
    note.say("bot.kick", found.bot, before={"state": found.state}, after={"ban": body.ban})
    return Kicked(bot=found.bot, was=found.state, ban=body.ban)


@router.get("/config", responses=protected(404, 409), dependencies=[VIEWER])
async def client_config(
    bot: str,
    request: Request,
    parts: UsedParts,
    asker: Asker,
    client: Annotated[Client | Application, Query(alias="for")],
) -> ClientConfig:
    """What to paste into the bot's client, or into an application that serves the bot; with the token for operators,
    unless the bot has one of its own.
    """
    key = key_of(bot)
    if isinstance(client, Application):
        return _app_config(request, parts, key, client, shows=asker.role.covers(Role.OPERATOR))
    access = await parts.access.get(key)
    if access is not None and access.token_hash is not None:
        return _config(request, parts, key, client, None, OWN_TOKEN)
    token = str(parts.settings.bot_token) if asker.role.covers(Role.OPERATOR) else None
    return _config(request, parts, key, client, token, _HIDDEN)


def _app_config(request: Request, parts: Parts, bot: str, client: Application, *, shows: bool) -> ClientConfig:
    settings = parts.settings
    gateway = gateway_url(settings.gateway_host, settings.ws_port, request.url.hostname or "127.0.0.1")
    url, token = app_url(gateway, bot), str(settings.worker_token) if shows else _HIDDEN
    made = ready_app(client, Place(url, bot.partition(":")[2], token))
    entry = app_entry(client, bot, token)
    return ClientConfig(
        bot=bot,
        client=client,
        file=made.file,
        text=made.text,
        note=made.note,
        url=url,
        complete=shows,
        onebot_app=entry,
    )


def _config(
    request: Request, parts: Parts, bot: str, client: Client, token: str | None, placeholder: str = ""
) -> ClientConfig:
    settings = parts.settings
    url = gateway_url(settings.gateway_host, settings.ws_port, request.url.hostname or "127.0.0.1")
    platform, _, self_id = bot.partition(":")
    if platform != "qq":
        raise ApiError(409, "not_for_platform", "these clients are for QQ: a bot of another platform can't use them")
    made = ready(client, Place(url, self_id, placeholder if token is None else token))
    return ClientConfig(
        bot=bot,
        client=client,
        file=made.file,
        text=made.text,
        note=made.note,
        url=url,
        complete=token is not None,
    )

"""Any OneBot action on any bot, and the bot's own answer."""

from __future__ import annotations

import json
import secrets
import time
from typing import Annotated, Any, Literal, Self

import msgspec
from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, model_validator

from botmatrix.bus.actions import ActionResult
from botmatrix.bus.envelope import ActionEntry
from botmatrix.control.api.bots import find
from botmatrix.control.audit import Noting
from botmatrix.control.auth import OPERATOR
from botmatrix.control.errors import ApiError, protected
from botmatrix.control.parts import UsedParts

router = APIRouter(prefix="/api", tags=["action"], dependencies=[OPERATOR])
BotId = Annotated[StrictStr, Field(min_length=1, max_length=200)] | Annotated[StrictInt, Field(ge=0)]


class ActionRequest(BaseModel):
    """An action. `bot` (or `bot_id`): `platform:self_id`; `timeout`: seconds to wait for the answer."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["bot"]}, {"required": ["bot_id"]}]})

    bot: BotId = ""
    bot_id: BotId = ""
    action: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.\-]+$", max_length=100)]
    params: dict[str, Any] = {}
    timeout: Annotated[float, Field(ge=0.1, le=120)] = 30.0

    @model_validator(mode="after")
    def _names_a_bot(self) -> Self:
        if self.bot == "" and self.bot_id == "":
            raise ValueError("say which bot")
        return self

    @property
    def key(self) -> str:
        """`platform:self_id`; a bare id is one of QQ."""
        platform, mark, self_id = str(self.bot_id if self.bot == "" else self.bot).partition(":")
        return f"{platform.lower()}:{self_id}" if mark else f"qq:{platform}"


class ActionAnswer(BaseModel):
    """The bot's own answer. `success` says whether the bot did it."""

    success: bool
    status: Literal["ok", "async", "failed"]
    retcode: int
    data: Any
    message: str = ""


class _Answer(msgspec.Struct):
    success: bool
    status: str
    retcode: int
    data: msgspec.Raw
    message: str


@router.post(
    "/action",
    response_class=Response,
    responses={200: {"model": ActionAnswer, "description": "The bot's answer"}, **protected(404, 409, 504)},
)
async def act(body: ActionRequest, parts: UsedParts, note: Noting) -> Response:
    """Have a bot do something and wait for its answer. 200 also when the bot says that it failed."""
    if body.action.startswith("get_"):
        note.nothing_changed()
    else:
        note.say("bot.action", body.key, after={"action": body.action, "params": body.params})
    params = msgspec.Raw(_encoded(body.params))
    if (await find(parts, body.key)).state == "offline":
        raise _offline()
    entry = ActionEntry(
        bot=body.key,
        aid=secrets.token_hex(12),
        action=body.action,
        params=params,
        exp=int((time.time() + body.timeout) * 1000),
    )
    result = await parts.actions.call(entry, timeout=body.timeout, must_be_online=True)
    return Response(_answer(result), media_type="application/json")


def _offline() -> ApiError:
    return ApiError(409, "bot_offline", "this bot has no link now; nothing was sent")


def _encoded(params: dict[str, Any]) -> bytes:
    """The parameters as JSON, numbers of any size exact."""
    try:
        return json.dumps(params, allow_nan=False, separators=(",", ":")).encode()
    except (ValueError, RecursionError) as error:
        raise ApiError(422, "invalid", "params: must be JSON without NaN and infinity") from error


def _answer(result: ActionResult) -> bytes:
    """The body of the answer. Raises `ApiError` when there is none."""
    match result.state:
        case "DONE":
            status = "async" if result.retcode == 1 else "ok"
        case "FAILED":
            status = "failed"
        case "NOBOT":
            raise ApiError(404, "unknown_bot", "no bot with this id was ever here")
        case "OFFLINE":
            raise _offline()
        case "QUEUED" | "EXPIRED":
            raise ApiError(504, "not_sent", "the bot's nexus did not take the action in time; it will not be sent")
        case _:
            raise ApiError(504, "no_answer", "the bot did not answer in time; it may have done it all the same")
    data = msgspec.Raw(result.data or b"null")
    return msgspec.json.encode(_Answer(status != "failed", status, result.retcode, data, result.message))

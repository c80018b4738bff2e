"""The console's chat window: a WebSocket that is a simulated bot for as long as it is open (docs/rest.md)."""

from __future__ import annotations

import contextlib

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from botmatrix.control.auth import Principal, client_address, identify
from botmatrix.control.chat.cast import Cast, cast_of
from botmatrix.control.chat.chat import GATEWAY_GONE, Chat, Ended
from botmatrix.control.chat.link import NoLink, linked
from botmatrix.control.client_config import gateway_url
from botmatrix.control.errors import ApiError, error_response
from botmatrix.control.parts import Parts
from botmatrix.errors import EngineUnavailable
from botmatrix.store.operations import Change
from botmatrix.store.tables import Role

router = APIRouter(prefix="/api/sim")


@router.websocket("")
async def sim(socket: WebSocket) -> None:
    """Refused before the upgrade without the role operator; then the frames of docs/rest.md."""
    parts: Parts = socket.app.state.parts
    try:
        asker = await _operator(socket, parts)
        cast = cast_of(asker.user.id)
        await _write_down(socket, parts, asker, cast)
    except ApiError as error:
        await socket.send_denial_response(error_response(error.status_code, error.code, error.detail))
        return
    except EngineUnavailable as error:
        await socket.send_denial_response(error_response(503, "engine_unavailable", str(error)))
        return
    await socket.accept()
    code, words = 1000, ""
    try:
        await _chat(socket, parts, asker, cast)
    except Ended as end:
        code, words = end.code, str(end)
    if socket.client_state is WebSocketState.CONNECTED:
        with contextlib.suppress(WebSocketDisconnect):
            await socket.close(code, words[:100])


async def _operator(socket: WebSocket, parts: Parts) -> Principal:
    asker = await identify(socket, parts)
    if not asker.role.covers(Role.OPERATOR):
        raise ApiError(403, "forbidden", f"this needs the role operator; yours is {asker.role.value}")
    if parts.chats.full:
        raise ApiError(503, "busy", "too many chats are open already; try again later")
    return asker


async def _write_down(socket: WebSocket, parts: Parts, asker: Principal, cast: Cast) -> None:
    """What plugins do in a chat may be real: who makes them do it is in the operation log."""
    change = Change(asker.user.username, asker.via, "chat.open", cast.key, None, None, client_address(socket))
    await parts.operations.write(change)


async def _chat(socket: WebSocket, parts: Parts, asker: Principal, cast: Cast) -> None:
    settings = parts.settings
    url = gateway_url(settings.gateway_host, settings.ws_port, "127.0.0.1")

    async def holds() -> bool:
        """While PostgreSQL is away nobody is sent off."""
        try:
            return (await identify(socket, parts)).role is asker.role
        except EngineUnavailable:
            return True
        except ApiError:
            return False

    async with parts.chats.place(asker.user.id):
        try:
            async with linked(url, str(settings.bot_token), cast) as link:
                await Chat(socket, cast).run(link, holds)
        except NoLink as error:
            await socket.send_json({"type": "refused", "why": str(error)})
            raise Ended(GATEWAY_GONE, "no link to the gateway") from error

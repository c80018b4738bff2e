"""The chat window's WebSocket: who may open it, what goes through, and how it ends; at a real gateway."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import pytest
from tests.integration.control.conftest import ControlOptions
from tests.integration.control.test_live import visited
from tests.integration.gateway.peers import TOKEN, Stage
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from botmatrix.control.chat import chat
from botmatrix.control.parts import Parts
from botmatrix.nexus.hub import Bot
from botmatrix.nexus.timing import Timing
from botmatrix.onebot.event import Event
from botmatrix.store.tables import Role

PATIENCE = 60.0


@pytest.fixture
async def gateway(options: ControlOptions) -> AsyncIterator[Stage]:
    """A gateway that these settings lead to; its hub says everything back."""
    stage = Stage(Timing(greeting=3600), lambda key: (TOKEN,), 1 << 20)
    stage.seen.react = say_back
    await stage.gateway.start()
    options.ws_port, options.bot_token = stage.gateway.port, TOKEN
    yield stage
    await stage.close()


def say_back(bot: Bot, event: Event) -> None:
    if event.post_type == "message":
        frame = msgspec.json.decode(event.raw)
        params = {"user_id": frame["user_id"], "message": f"you said {frame['raw_message']}"}
        bot.call("send_msg", msgspec.json.encode(params), lambda _: None)


def opening(client: httpx.AsyncClient, path: str = "/api/sim", **headers: str) -> connect:
    address = str(client.base_url.copy_with(scheme="ws", path=path))
    sent = {"Authorization": client.headers.get("Authorization", ""), **headers}
    headers = {name: value for name, value in sent.items() if value}
    return connect(address, additional_headers=headers, open_timeout=PATIENCE)


@asynccontextmanager
async def chatting(client: httpx.AsyncClient) -> AsyncIterator[tuple[ClientConnection, dict[str, Any]]]:
    async with opening(client) as socket:
        ready = await heard(socket)
        assert ready["type"] == "ready"
        yield socket, ready


async def heard(socket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE):
        found: dict[str, Any] = json.loads(await socket.recv())
        return found


async def ended(socket: ClientConnection) -> int | None:
    async with asyncio.timeout(PATIENCE):
        await socket.wait_closed()
    return socket.close_code


def saying(ready: dict[str, Any], text: str) -> str:
    message = [{"type": "text", "data": {"text": text}}]
    return json.dumps({"user": ready["people"][0]["id"], "message": message, "key": "1"})


async def refusal(client: httpx.AsyncClient, path: str = "/api/sim", **headers: str) -> int:
    with pytest.raises(InvalidStatus) as refused:
        async with opening(client, path, **headers):
            pass
    return refused.value.response.status_code


async def test_what_is_said_reaches_the_hub_and_its_answer_comes_back(options: ControlOptions, gateway: Stage) -> None:
    async with visited(options, Role.OPERATOR) as (client, parts), chatting(client) as (socket, ready):
        await socket.send(saying(ready, "hello"))
        assert await heard(socket) == {"type": "heard", "key": "1", "message_id": 1}
        said = await heard(socket)
        assert said["message"] == [{"type": "text", "data": {"text": "you said hello"}}]
        assert ready["bot"] in gateway.hub.bots
        assert await written(parts) == [("somebody", "chat.open", ready["bot"])]


async def written(parts: Parts) -> list[tuple[str, str, str]]:
    rows, _ = await parts.operations.list(query="chat.open")
    return [(row.who, row.what, row.object) for row in rows]


async def test_nonsense_is_refused_in_words_and_the_chat_goes_on(options: ControlOptions, gateway: Stage) -> None:
    async with visited(options, Role.OPERATOR) as (client, _), chatting(client) as (socket, ready):
        for nonsense in ("[]", "{", '{"user": 10001, "message": []}', json.dumps({"user": "x" * 1000})):
            await socket.send(nonsense)
            assert (await heard(socket))["type"] == "refused"
        await socket.send(saying(ready, "still here"))
        assert (await heard(socket))["type"] == "heard"


@pytest.mark.parametrize("role", [Role.VIEWER, None])
async def test_it_needs_an_operator(options: ControlOptions, role: Role | None) -> None:
    async with visited(options, role or Role.OPERATOR) as (client, _):
        if role is None:
            del client.headers["Authorization"]
        assert await refusal(client) == (401 if role is None else 403)


async def test_a_page_of_another_site_can_not_open_it(options: ControlOptions) -> None:
    async with visited(options, Role.OWNER) as (client, _):
        assert await refusal(client, Origin="https://evil.example") == 403


async def test_a_bot_that_knocks_at_the_console_is_sent_away(options: ControlOptions) -> None:
    async with visited(options, Role.OWNER) as (client, _):
        assert await refusal(client, "/onebot/v11/ws") == 404


async def test_a_second_window_takes_over(options: ControlOptions, gateway: Stage) -> None:
    async with visited(options, Role.OPERATOR) as (client, _), opening(client) as first:
        ready = await heard(first)
        async with chatting(client) as (second, _):
            assert await ended(first) == chat.SUPERSEDED
            await second.send(saying(ready, "here"))
            assert (await heard(second))["type"] == "heard"


async def test_it_ends_with_the_login(options: ControlOptions, gateway: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat, "CHECK_EVERY", 0.1)
    async with visited(options, Role.OPERATOR) as (client, parts), chatting(client) as (socket, _):
        await parts.users.disable("somebody")
        assert await ended(socket) == chat.LOGIN_ENDED


async def test_a_gateway_that_is_away_is_named(options: ControlOptions) -> None:
    options.ws_port = 1
    async with visited(options, Role.OPERATOR) as (client, _), opening(client) as socket:
        assert "ws://127.0.0.1:1/" in (await heard(socket))["why"]
        assert await ended(socket) == chat.GATEWAY_GONE


async def test_a_wrong_token_is_named_but_not_shown(options: ControlOptions, gateway: Stage) -> None:
    options.bot_token = "another-token-than-the-gateway-has"
    async with visited(options, Role.OPERATOR) as (client, _), opening(client) as socket:
        why = (await heard(socket))["why"]
        assert "403" in why
        assert options.bot_token not in why

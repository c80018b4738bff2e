"""The bot in the terminal, against a gateway that is a few lines of websockets."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from botmatrix.cli.simulator import Conversation, SimulatedBot, plain
from botmatrix.errors import BotMatrixError

Handler = Callable[[ServerConnection, dict[str, Any]], Any]


@asynccontextmanager
async def gateway(answer: Handler, *, token: str = "t") -> AsyncIterator[str]:
    """A gateway that calls `answer` for each event; its URL."""

    def check(link: ServerConnection, request: Request) -> Response | None:
        given = request.headers.get("Authorization")
        if given is None:
            return link.respond(HTTPStatus.UNAUTHORIZED, "no")
        return None if given == f"Bearer {token}" else link.respond(HTTPStatus.FORBIDDEN, "no")

    async def run(link: ServerConnection) -> None:
        async for frame in link:
            await answer(link, json.loads(frame))

    async with serve(run, "127.0.0.1", 0, process_request=check) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def send(link: ServerConnection, message: Any, echo: object = 1) -> None:
    """Have the bot send a message."""
    request = {"action": "send_msg", "params": {"message": message}, "echo": echo}
    await link.send(json.dumps(request))


async def talk(
    url: str, text: str, *, token: str = "t", once: bool = True, timeout: float = 5.0, group: int = 0
) -> list[str]:
    """What is printed when `text` is typed."""
    said: list[str] = []
    bot = SimulatedBot(url, token, self_id=1, user_id=2, group_id=group)
    await Conversation(bot, said.append, timeout=timeout, once=once, lines=io.StringIO(text)).run()
    return said


async def test_line_is_a_message_and_its_answer_is_printed() -> None:
    events = []

    async def answer(link: ServerConnection, frame: dict[str, Any]) -> None:
        events.append(frame)
        if frame.get("post_type") == "message":
            await send(link, f"heard {frame['raw_message']}")

    async with gateway(answer) as url:
        assert await talk(url, "/ping\n\n/echo a\n") == ["heard /ping", "heard /echo a"]
    assert events[0]["meta_event_type"] == "lifecycle"
    message = next(event for event in events if event.get("post_type") == "message")
    assert (message["message_type"], message["self_id"], message["user_id"]) == ("private", 1, 2)
    assert message["message"] == [{"type": "text", "data": {"text": "/ping"}}]


async def test_group_message_names_its_group() -> None:
    groups = []

    async def answer(link: ServerConnection, frame: dict[str, Any]) -> None:
        if frame.get("post_type") == "message":
            groups.append(frame["group_id"])
            await send(link, "ok")

    async with gateway(answer) as url:
        await talk(url, "x", group=42)
    assert groups == [42]


async def test_actions_are_answered_with_their_echo() -> None:
    answers = []

    async def answer(link: ServerConnection, frame: dict[str, Any]) -> None:
        if frame.get("post_type") == "message":
            for action in ("get_login_info", "no_such_action"):
                await link.send(json.dumps({"action": action, "params": {}, "echo": {"a": action}}))
            await send(link, "ok")
        elif "status" in frame:
            answers.append((frame["echo"], frame["retcode"]))

    async with gateway(answer) as url:
        await talk(url, "x")
    assert answers[:2] == [({"a": "get_login_info"}, 0), ({"a": "no_such_action"}, 1404)]


async def test_several_messages_belong_to_one_answer() -> None:
    async def answer(link: ServerConnection, frame: dict[str, Any]) -> None:
        if frame.get("post_type") == "message":
            await send(link, "one")
            await send(link, "two")

    async with gateway(answer) as url:
        assert await talk(url, "x") == ["one", "two"]


async def silent(_link: ServerConnection, _frame: dict[str, Any]) -> None:
    """A matrix without plugins."""


async def test_silence_is_an_error_in_words() -> None:
    async with gateway(silent) as url:
        with pytest.raises(BotMatrixError, match=r"no answer to '/ping' in 0\.1 s"):
            await talk(url, "/ping", timeout=0.1)


@pytest.mark.parametrize(("token", "words"), [("", "wants a token"), ("wrong", "refused the token")])
async def test_refused_token_is_explained(token: str, words: str) -> None:
    async with gateway(silent) as url:
        with pytest.raises(BotMatrixError, match=words):
            await talk(url, "x", token=token)


async def test_url_that_is_no_gateway_is_explained() -> None:
    with pytest.raises(BotMatrixError, match=r"http://x is not the address of a gateway: expected one like ws://"):
        await talk("http://x", "x")


async def test_missing_gateway_is_explained() -> None:
    with pytest.raises(BotMatrixError, match="is `botmatrix up` running"):
        await talk("ws://127.0.0.1:1/", "x")


@pytest.mark.parametrize("once", [True, False])
async def test_link_that_is_ended_is_explained(once: bool) -> None:
    async def close(link: ServerConnection, _frame: dict[str, Any]) -> None:
        await link.close(1012, "restarting")

    async with gateway(close) as url:
        with pytest.raises(BotMatrixError, match=r"restarting|no answer"):
            await talk(url, "x\n" * 3, once=once, timeout=1.0)


async def test_piped_lines_are_all_said_and_answered() -> None:
    async def answer(link: ServerConnection, frame: dict[str, Any]) -> None:
        if frame.get("post_type") == "message":
            await send(link, frame["raw_message"].upper())

    async with gateway(answer) as url:
        assert await talk(url, "a\nb\n", once=False, timeout=0.3) == ["A", "B"]


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("hello", "hello"),
        ("a\nb", "a\nb"),
        ("\x1b[31mred", "?[31mred"),
        ([{"type": "text", "data": {"text": "a"}}, {"type": "at", "data": {"qq": "5"}}], "a@5 "),
        ({"type": "image", "data": {"file": "x"}}, "[image]"),
        ([{"type": "text"}, "odd", {"type": "face", "data": None}], "odd[face]"),
        (None, "None"),
    ],
)
def test_message_as_text(message: object, text: str) -> None:
    assert plain(message) == text

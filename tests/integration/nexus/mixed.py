"""Bots that say numbers, and applications that answer them: who answered what, through which bot, how often."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection


class NumberedBot:
    """Says `/echo {its id}:{number}` in eight conversations, and counts the numbers that come back.

    `strange`: what came back and was never said here, or went to the wrong person.
    """

    def __init__(self, link: ClientConnection, self_id: int) -> None:
        self.link, self.self_id = link, self_id
        self.said: set[int] = set()
        self.heard: Counter[int] = Counter()
        self.strange: list[Any] = []

    @property
    def owed(self) -> int:
        """How many are not answered."""
        return len(self.said - set(self.heard))

    async def say(self, number: int) -> None:
        """One private message."""
        text = f"/echo {self.self_id}:{number}"
        self.said.add(number)
        await self.link.send(
            json.dumps(
                {
                    **{"post_type": "message", "message_type": "private", "sub_type": "friend", "time": 1_700_000_000},
                    **{"self_id": self.self_id, "message_id": number, "user_id": number % 8 + 1},
                    **{"message": text, "raw_message": text, "sender": {"nickname": "Alice"}},
                }
            )
        )

    async def live(self) -> None:
        """Do what is asked."""
        async for payload in self.link:
            action = json.loads(payload)
            data: Any = {"message_id": 1}
            if action["action"] == "get_login_info":
                data = {"user_id": self.self_id, "nickname": "bot"}
            elif action["action"] == "get_group_list":
                data = []
            else:
                self._take(action["params"])
            await self.link.send(json.dumps({"status": "ok", "retcode": 0, "data": data, "echo": action["echo"]}))

    def _take(self, params: dict[str, Any]) -> None:
        message = params["message"]
        text = message if isinstance(message, str) else "".join(one["data"]["text"] for one in message)
        bot, _, number = text.partition(":")
        if bot != str(self.self_id) or int(number) not in self.said or int(params["user_id"]) != int(number) % 8 + 1:
            self.strange.append(params)
        self.heard[int(number)] += 1


class Application:
    """Asks its bot who it is before each answer. Every link counts its echoes from 1: they collide all the time."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.answered = 0
        self.wrong: list[Any] = []

    async def serve(self, link: ClientConnection | ServerConnection) -> None:
        """One link, for one bot."""
        echoes, waiting = itertools.count(1), dict[int, tuple[dict[str, Any], str]]()
        async for payload in link:
            frame = json.loads(payload)
            if frame.get("post_type") == "message":
                echo = next(echoes)
                waiting[echo] = frame, "get_login_info"
                await link.send(json.dumps({"action": "get_login_info", "params": {}, "echo": echo}))
            elif "post_type" not in frame:
                event, action = waiting.pop(frame["echo"], ({}, "nothing"))
                if action == "get_login_info" and frame["data"]["user_id"] == event["self_id"]:
                    echo = next(echoes)
                    waiting[echo] = event, "send_private_msg"
                    params = {"user_id": event["user_id"], "message": event["raw_message"].removeprefix("/echo ")}
                    await link.send(json.dumps({"action": "send_private_msg", "params": params, "echo": echo}))
                elif action == "send_private_msg" and frame["status"] == "ok":
                    self.answered += 1
                else:
                    self.wrong.append(frame)


async def answered(bots: Iterable[NumberedBot], seconds: float) -> None:
    """Until nothing is owed to these bots."""
    bots = list(bots)
    try:
        async with asyncio.timeout(seconds):
            while any(bot.owed for bot in bots):
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError({bot.self_id: bot.owed for bot in bots if bot.owed}) from None

"""OneBot v11 implementations that real software is tried with: bots that say things and check every answer.

| a user says | what must come back | which proves |
|---|---|---|
| `ping X` | `pong X` | an event gets its answer, in its conversation |
| `whoami X` | `iam X {self_id} {nickname}` of get_login_info | the action reached this bot |
| `groups X` | `groups X {count} {first id}` of get_group_list | an array comes back whole |
| `boom X` | `failed X 1404` of an unknown action | an error comes back whole |
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

PINGS = 5
LINGER = 0.25
"""Seconds after the last answer in which no other may come."""
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Manner:
    """How bots behave. `without`: headers that they leave out.

    `quirks`, any of: no_lifecycle string_ids binary ascii string (CQ text instead of segments) no_message_format
    stray (an answer that nobody asked for) twice (each answer two times) no_status.
    """

    quirks: frozenset[str] = frozenset()
    split: bool = False
    without: frozenset[str] = frozenset()


@dataclass(slots=True)
class Verdict:
    """What was wrong; a verdict of nothing at all is true of `not verdict`."""

    missing: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    astray: list[str] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.missing or self.twice or self.astray or self.unasked)


class SimulatedBot:
    """One bot that keeps its links up until it is told to leave."""

    def __init__(self, self_id: int, roads: dict[str, str], token: str, manner: Manner) -> None:
        self.self_id, self._roads, self._token, self._manner = self_id, roads, token, manner
        self.groups: list[dict[str, Any]] = [
            {"group_id": self_id * 10 + n, "group_name": f"group {n}"} for n in range(3)
        ]
        self._links: dict[str, ClientConnection] = {}
        self._due: dict[str, tuple[str, int]] = {}
        self._seen: list[tuple[str, tuple[str, int]]] = []
        self._owed: set[str] = set()
        self._online, self._heard = asyncio.Event(), asyncio.Event()

    # ---------------------------------------------------------------- what the test does

    async def live(self) -> None:
        """Keep every link up."""
        roles = ("api", "event") if self._manner.split else ("universal",)
        await asyncio.gather(*(self._keep(role) for role in roles))

    async def online(self) -> None:
        """Until every link is up."""
        async with asyncio.timeout(20):
            await self._online.wait()

    async def offline(self) -> None:
        """Until no link is up."""
        async with asyncio.timeout(20):
            while self._links:
                await asyncio.sleep(0.02)

    async def hang_up(self) -> None:
        """Close the links as an implementation that restarts does; `live` opens them again."""
        for link in list(self._links.values()):
            await link.close(1001, "restart")
        await self.offline()

    async def converse(self, tag: str, pings: int = PINGS, seconds: float = 20) -> Verdict:
        """Say all of it, wait for the answers, and judge them."""
        words = [*(f"ping {tag}-{n}" for n in range(pings)), f"whoami {tag}", f"groups {tag}", f"boom {tag}"]
        self._due, self._seen = {}, []
        self._owed = {self._answer_due(text) for text in words}
        self._heard.clear()
        for number, text in enumerate(words):
            await self._say(text, "group" if number % 2 else "private")
        try:
            await asyncio.wait_for(self._heard.wait(), seconds)
        except TimeoutError:
            pass
        await asyncio.sleep(LINGER)
        return self._judge()

    def _judge(self) -> Verdict:
        counts = Counter(text for text, _ in self._seen)
        return Verdict(
            missing=[text for text in self._due if text not in counts],
            twice=[text for text, count in counts.items() if count > 1],
            astray=[text for text, where in self._seen if self._due.get(text, where) != where],
            unasked=[text for text in counts if text not in self._due],
        )

    def _answer_due(self, text: str) -> str:
        word, tag = text.split()
        return {
            "ping": f"pong {tag}",
            "whoami": f"iam {tag} {self.self_id} bot{self.self_id}",
            "groups": f"groups {tag} {len(self.groups)} {self.groups[0]['group_id']}",
            "boom": f"failed {tag} 1404",
        }[word]

    # ---------------------------------------------------------------- events

    async def _say(self, text: str, kind: str) -> None:
        user, group = self.self_id + 5, self.groups[0]["group_id"]
        self._due[self._answer_due(text)] = (kind, group if kind == "group" else user)
        user_id = self._id(user)
        event: dict[str, Any] = {
            **{"time": 1_700_000_000, "self_id": self._id(self.self_id), "post_type": "message", "message_type": kind},
            **{"sub_type": "normal" if kind == "group" else "friend", "message_id": next(_numbers), "font": 0},
            **{"user_id": user_id, "raw_message": text, "sender": {"user_id": user_id, "nickname": "Alice"}},
            "message": text if self._has("string") else [{"type": "text", "data": {"text": text}}],
        }
        if not self._has("string") and not self._has("no_message_format"):
            event["message_format"] = "array"
        if kind == "group":
            event |= {"group_id": self._id(group), "anonymous": None}
            event["sender"] |= {"card": "", "role": "member"}
        await self._send(self._links["event" if self._manner.split else "universal"], event)

    async def _send(self, link: ClientConnection, frame: dict[str, Any]) -> None:
        text = json.dumps(frame, ensure_ascii=self._has("ascii"))
        await link.send(text.encode() if self._has("binary") else text)

    # ---------------------------------------------------------------- links and actions

    async def _keep(self, role: str) -> None:
        while True:
            try:
                async with connect(self._roads[role], additional_headers=self._headers(role), proxy=None) as link:
                    await self._serve(link, role)
            except (OSError, InvalidHandshake, ConnectionClosed, TimeoutError):
                pass
            self._links.pop(role, None)
            self._online.clear()
            await asyncio.sleep(0.1)

    def _headers(self, role: str) -> dict[str, str]:
        client_role = {"api": "API", "event": "Event"}.get(role, "Universal")
        headers = {"X-Self-ID": str(self.self_id), "X-Client-Role": client_role}
        headers["Authorization"] = f"Bearer {self._token}"
        return {name: value for name, value in headers.items() if name not in self._manner.without}

    async def _serve(self, link: ClientConnection, role: str) -> None:
        if role != "api" and not self._has("no_lifecycle"):
            fields = {"time": 1_700_000_000, "self_id": self._id(self.self_id), "post_type": "meta_event"}
            await self._send(link, {**fields, "meta_event_type": "lifecycle", "sub_type": "connect"})
        self._links[role] = link
        if len(self._links) == (2 if self._manner.split else 1):
            self._online.set()
        async for payload in link:
            await self._obey(link, json.loads(payload))

    async def _obey(self, link: ClientConnection, action: dict[str, Any]) -> None:
        answer = {**self._act(action["action"], action.get("params") or {}), "echo": action["echo"]}
        if self._has("no_status"):
            del answer["status"]
        if self._has("stray"):
            await self._send(link, {**answer, "echo": "of nobody"})
        for _ in range(2 if self._has("twice") else 1):
            await self._send(link, answer)

    def _act(self, action: str, params: dict[str, Any]) -> dict[str, Any]:
        name = action.removesuffix("_async")
        if name in ("send_msg", "send_private_msg", "send_group_msg"):
            self._take(params, params["message"])
            data: Any = {"message_id": next(_numbers)}
        elif name == ".handle_quick_operation":
            self._take(params["context"], params["operation"]["reply"])
            data = None
        elif name == "get_login_info":
            data = {"user_id": self.self_id, "nickname": f"bot{self.self_id}"}
        elif name == "get_group_list":
            data = self.groups
        elif name in ("get_status", "get_version_info", "get_group_member_info", "get_stranger_info"):
            data = {"online": True, "good": True}
        else:
            return {"status": "failed", "retcode": 1404, "data": None, "message": "no such action", "wording": ""}
        done = {"status": "ok", "retcode": 0} if name == action else {"status": "async", "retcode": 1}
        return {**done, "data": data, "message": "", "wording": ""}

    def _take(self, about: dict[str, Any], message: Any) -> None:
        if isinstance(message, list):
            message = "".join(str(one["data"].get("text", "")) for one in message)
        elif isinstance(message, dict):
            message = str(message["data"]["text"])
        group = about.get("group_id") if about.get("message_type") != "private" else None
        where = ("group", int(group)) if group else ("private", int(about["user_id"]))
        self._seen.append((message.strip(), where))
        self._owed.discard(message.strip())
        if not self._owed:
            self._heard.set()

    def _has(self, quirk: str) -> bool:
        return quirk in self._manner.quirks

    def _id(self, number: int) -> int | str:
        return str(number) if self._has("string_ids") else number


@asynccontextmanager
async def bots(
    ids: Sequence[int], roads: dict[str, str], token: str, manner: Manner
) -> AsyncIterator[list[SimulatedBot]]:
    """Bots that are online."""
    found = [SimulatedBot(self_id, roads, token, manner) for self_id in ids]
    lives = [asyncio.create_task(bot.live()) for bot in found]
    try:
        for bot in found:
            await bot.online()
        yield found
    finally:
        for life in lives:
            life.cancel()
        await asyncio.gather(*lives, return_exceptions=True)

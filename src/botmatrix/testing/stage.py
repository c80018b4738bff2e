"""The chat platform's part: bots that do what they are told, and the hub that tells them."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from botmatrix.bus.client import Client
from botmatrix.bus.envelope import FIELD, ActionEntry, Envelope, decode_action, encode
from botmatrix.bus.keys import Keys
from botmatrix.bus.scripts import FINISH
from botmatrix.errors import ActionFailed
from botmatrix.onebot.message import Message

INC: Final = "sim.00000000"
WORKER: Final = "sim"
GROUP: Final = "g"
_FOREVER_MS: Final = 86_400_000
_BLOCK_MS: Final = 200
_SENDS: Final = frozenset({"send_msg", "send_group_msg", "send_private_msg"})


class Called(NamedTuple):
    """An action that a bot was asked for, with its parameters."""

    bot: str
    action: str
    params: dict[str, Any]


class Stage:
    """Puts events on the worker's lane and answers the actions that come back."""

    def __init__(self, client: Client, reader: Client, keys: Keys) -> None:
        self._client, self._reader, self._keys = client, reader, keys
        self.called: list[Called] = []
        self.answers: dict[str, Any] = {}
        self._heard: dict[tuple[str, str, str], asyncio.Queue[Message]] = {}
        self._numbers = 0

    async def open(self, bots: Mapping[str, Mapping[str, str]]) -> None:
        """Empty Redis and have these bots online: `platform:self_id` -> group id -> name."""
        k = self._keys
        await self._client.pipeline(
            ("FLUSHALL",),
            ("SET", k.lease(INC), "1", "PX", _FOREVER_MS),
            ("SADD", k.nexuses, INC),
            ("XGROUP", "CREATE", k.actions(INC), GROUP, "0", "MKSTREAM"),
        )
        for bot, groups in bots.items():
            await self._client.pipeline(
                ("SADD", k.bots, bot),
                ("HSET", k.bot(bot), "nexus", INC, "state", "online"),
                ("SET", k.groups(bot), msgspec.json.encode(dict(groups))),
            )

    async def put(self, bot: str, conv: str, event: dict[str, Any]) -> None:
        """An event happens to a bot."""
        self._numbers += 1
        body = msgspec.Raw(msgspec.json.encode(event))
        envelope = Envelope(f"{self._numbers:024x}", bot, conv, INC, 1, int(time.time() * 1000), body)
        await self._client.call("XADD", self._keys.lane(WORKER), "*", FIELD, encode(envelope))

    def heard(self, bot: str, kind: str, id: str) -> asyncio.Queue[Message]:
        """What the bot said in a conversation and nobody has taken."""
        return self._heard.setdefault((bot, kind, id), asyncio.Queue())

    async def run(self) -> None:
        """Answer actions, until cancelled."""
        stream = self._keys.actions(INC)
        while True:
            found = await self._reader.call(
                *("XREADGROUP", "GROUP", GROUP, "sim", "COUNT", 64, "BLOCK", _BLOCK_MS, "STREAMS", stream, ">")
            )
            for entry_id, fields in found[0][1] if found else ():
                await self._finish(entry_id, decode_action(dict(zip(fields[::2], fields[1::2], strict=True))[FIELD]))

    async def is_there(self) -> bool:
        """Whether the worker reads its lane."""
        return bool(await self._client.call("EXISTS", self._keys.presence(WORKER)))

    async def is_done(self) -> bool:
        """Whether every event was read and every action answered."""
        k = self._keys
        waiting, pending, actions = await self._client.pipeline(
            ("XLEN", k.lane(WORKER)), ("XINFO", "GROUPS", k.lane(WORKER)), ("XLEN", k.actions(INC))
        )
        groups = [dict(zip(group[::2], group[1::2], strict=True)) for group in pending]
        return bool(actions == 0 and waiting == sum(int(group[b"pending"]) for group in groups))

    async def _finish(self, entry_id: bytes, entry: ActionEntry) -> None:
        k = self._keys
        state, retcode, message, data = await self._do(entry)
        told = (entry_id, entry.aid, entry.reply_to, state, retcode, message, data)
        await self._client.run(FINISH, [k.actions(INC), k.stats], k.prefix, 3600, 0, *told)

    async def _do(self, entry: ActionEntry) -> tuple[str, int, str, bytes]:
        params = msgspec.json.decode(entry.params, type=dict[str, Any])
        self.called.append(Called(entry.bot, entry.action, params))
        if entry.action in _SENDS:
            self._hear(entry.bot, params)
        try:
            return "DONE", 0, "", msgspec.json.encode(await self._answer(entry.action, params))
        except ActionFailed as error:
            return "FAILED", error.retcode, error.message, b"null"

    def _hear(self, bot: str, params: Mapping[str, Any]) -> None:
        kind = "group" if params.get("group_id") and params.get("message_type") != "private" else "private"
        id = str(params.get("group_id" if kind == "group" else "user_id", ""))
        self.heard(bot, kind, id).put_nowait(Message.parse(params.get("message")))

    async def _answer(self, action: str, params: dict[str, Any]) -> Any:
        if action in self.answers:
            found: Any = self.answers[action]
            if isinstance(found, Exception):
                raise found
            given = found(params) if isinstance(found, Callable) else found  # type: ignore[arg-type]
            return await given if inspect.isawaitable(given) else given
        if action in _SENDS:
            return {"message_id": len(self.called)}
        raise ActionFailed(1404, f"the test gives no answer to {action}: sim.answer({action!r}, ...)", action)

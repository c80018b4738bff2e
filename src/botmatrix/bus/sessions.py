"""Sessions in Redis: the state of a person or of a conversation, and the context that `memory` writes.

A state is one JSON object, shared by plugins and workers in any language. The field `expires_at` in it tells which
fields live shorter than the rest: name -> unix seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

import msgspec

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.keys import Keys
from botmatrix.bus.memory import Heard, Lifetimes, Memory
from botmatrix.bus.scripts import SWAP
from botmatrix.clock import Clock
from botmatrix.errors import BotMatrixError, EngineUnavailable

EXPIRES: Final = "expires_at"
LARGEST: Final = 64 * 1024
"""Bytes that a state may have."""
_TRIES: Final = 100

State = dict[str, Any]
_encode = msgspec.json.Encoder().encode


class StateTooLarge(BotMatrixError):
    """A session's state would be larger than 64 KiB; nothing was changed."""


class Names(NamedTuple):
    """The two keys of a session."""

    context: str
    state: str

    @classmethod
    def person(cls, keys: Keys, platform: str, user_id: str) -> Names:
        """Of somebody, wherever they speak."""
        person = f"{platform}:{user_id}"
        return cls(keys.session(person), keys.session_state(person))

    @classmethod
    def conversation(cls, keys: Keys, conversation: str) -> Names:
        """Of everybody in one conversation of one bot."""
        return cls(keys.conversation(conversation), keys.conversation_state(conversation))


class SessionBox:
    """Reads and writes sessions over a connection of its owner's. Every method raises `EngineUnavailable`."""

    def __init__(self, client: Client, keys: Keys, lifetimes: Callable[[], Lifetimes], clock: Clock) -> None:
        self._client, self.keys, self._lifetimes, self._clock = client, keys, lifetimes, clock
        self.memory = Memory(client, keys, lifetimes)

    async def read(self, names: Names) -> State:
        """The state, without what has expired; empty when there is none."""
        return self._fields(await self._client.call("GET", names.state) or b"")

    async def change(self, names: Names, change: Callable[[State], object], lives: Mapping[str, float | None]) -> None:
        """Change the state in one step: `change` is called again with a fresh one when somebody else was quicker.

        `lives`: the fields that are set anew, and for how many seconds; None: as long as the session. Raises
        `StateTooLarge`, and whatever `change` raises; then nothing was changed.
        """
        current: bytes = await self._client.call("GET", names.state) or b""
        for _ in range(_TRIES):
            wanted, life = self._changed(current, change, lives)
            if len(wanted) > LARGEST:
                raise StateTooLarge(f"a session holds at most {LARGEST // 1024} KiB; keep what is large in the store")
            answer = await self._client.run(SWAP, [names.state], current, wanted, life)
            if answer == 1:
                return
            current = answer
        raise TimeoutError("the session is being changed by others without a pause")

    async def history(self, names: Names) -> list[Heard]:
        """The context's messages, oldest first."""
        await self.memory.written()
        raw = await self._client.call("GET", names.context)
        document = _document(raw or b"")
        entries = document.get("history")
        return [_heard(entry) for entry in entries] if isinstance(entries, list) else []

    async def delete(self, names: Names) -> int:
        """Delete state and context; how many of them there were."""
        await self.memory.written()
        return int(await self._client.call("DEL", names.state, names.context))

    async def close(self) -> None:
        """Write what is noted, if Redis is there, and end the connection."""
        with suppress(EngineUnavailable, ReplyError):
            await self.memory.written()
        await self._client.close()

    def _fields(self, raw: bytes) -> State:
        state = _document(raw)
        expires, now = _expires(state.pop(EXPIRES, None)), self._clock.now()
        return {name: value for name, value in state.items() if expires.get(name, now + 1) > now}

    def _changed(
        self, raw: bytes, change: Callable[[State], object], lives: Mapping[str, float | None]
    ) -> tuple[bytes, int]:
        """The new state and for how many ms it must stay."""
        state, now, default = self._fields(raw), self._clock.now(), self._lifetimes().session_ttl_sec
        change(state)
        if not state:
            return b"", 0
        expires = _expires(_document(raw).get(EXPIRES))
        expires = {name: moment for name, moment in expires.items() if name in state and name not in lives}
        expires |= {name: now + life for name, life in lives.items() if life is not None and name in state}
        life = max(expires[name] - now if name in expires else default for name in state)
        return _encode({**state, EXPIRES: expires} if expires else state), max(1, int(life * 1000))


def _document(raw: bytes) -> dict[str, Any]:
    """What another program wrote may be anything; what is no object counts as empty."""
    try:
        found = msgspec.json.decode(raw) if raw else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _expires(found: object) -> dict[str, float]:
    if not isinstance(found, dict):
        return {}
    return {name: moment for name, moment in found.items() if isinstance(moment, int | float)}


def _heard(entry: object) -> Heard:
    try:
        return msgspec.convert(entry, Heard, strict=False)
    except msgspec.ValidationError:
        return Heard(text=entry if isinstance(entry, str) else "")

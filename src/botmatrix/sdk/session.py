"""`Session`: what plugins keep in mind about a person, or about a conversation, for a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botmatrix.bus.envelope import Envelope
from botmatrix.bus.memory import Heard
from botmatrix.bus.sessions import EXPIRES, Names, SessionBox, State

__all__ = ["Heard", "Session"]


class Session:
    """Values by name, in Redis, for a while; common to all plugins and to workers in other languages.

    Values are what JSON can say, 64 KiB in all. Each change is one step, whatever other workers do meanwhile, and
    happens at once: a handler that runs again changes again. Everything is forgotten a day after the last
    change (hot setting `session_ttl_sec`), what has a `ttl` of its own (s) earlier or later. Methods raise
    `EngineUnavailable` while Redis is away; a handler that lets it through runs again later.
    """

    __slots__ = ("_box", "_envelope", "_names")

    def __init__(self, box: SessionBox, names: Names, envelope: Envelope) -> None:
        self._box, self._names, self._envelope = box, names, envelope

    @property
    def conversation(self) -> Session:
        """That of the conversation: common to everybody in the group."""
        names = Names.conversation(self._box.keys, self._envelope.conversation)
        return Session(self._box, names, self._envelope)

    async def get(self, name: str, default: Any = None) -> Any:
        """The value, or `default`."""
        return (await self._box.read(self._names)).get(name, default)

    async def all(self) -> dict[str, Any]:
        """Every value by its name."""
        return await self._box.read(self._names)

    async def set(self, name: str, value: Any, *, ttl: float | None = None) -> None:
        """Keep a value, for `ttl` seconds. Raises `ValueError` for a name or a time that is none."""

        def put(state: State) -> None:
            state[name] = value

        await self._box.change(self._names, put, _lives(name, ttl))

    async def update(
        self, name: str, change: Callable[[Any], Any], *, default: Any = None, ttl: float | None = None
    ) -> Any:
        """Put `change(value)` in the place of the value, or of `default`; gives the new value.

        `change` may be called several times, when others change the session too; only its last result counts.
        """
        found: Any = None

        def put(state: State) -> None:
            nonlocal found
            found = state[name] = change(state.get(name, default))

        await self._box.change(self._names, put, _lives(name, ttl))
        return found

    async def delete(self, *names: str) -> None:
        """Forget these values."""

        def drop(state: State) -> None:
            for name in names:
                state.pop(name, None)

        await self._box.change(self._names, drop, {})

    async def clear(self) -> None:
        """Forget every value, and the history."""
        await self._box.delete(self._names)

    async def history(self) -> list[Heard]:
        """The last messages, oldest first, without this one: it is the last of the 5 that are kept.

        Needs `Plugin(history=True)`: raises `RuntimeError` while no plugin says so.
        """
        if not self._box.memory.asked_for:
            raise RuntimeError("no history is written: say Plugin(..., history=True)")
        heard = await self._box.history(self._names)
        return [one for one in heard if one.id != self._envelope.id]


def _lives(name: str, ttl: float | None) -> dict[str, float | None]:
    if not name or name == EXPIRES:
        raise ValueError(f"{name!r} can't be the name of a value")
    if ttl is not None and ttl <= 0:
        raise ValueError("ttl must be above 0 seconds")
    return {name: ttl}

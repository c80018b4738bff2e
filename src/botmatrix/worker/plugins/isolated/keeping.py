"""What a Python plugin keeps: values for good, media for an hour; asked for by its process, also outside of events."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec

from botmatrix.errors import ActionFailed, EngineUnavailable
from botmatrix.sdk.services import Services
from botmatrix.sdk.store import LARGEST, LONGEST_KEY, MOST_KEYS, Values
from botmatrix.worker.plugins.isolated.exchange import Exchange
from botmatrix.worker.plugins.isolated.lines import Call
from botmatrix.worker.plugins.isolated.media import PUT, Part, Parts

MOST: Final = 64
"""Calls of one plugin that are under way at once."""


class Wanted(msgspec.Struct):
    """`value` and `seen` are lists of one value, or empty: there is none."""

    key: str = ""
    value: list[msgspec.Raw] = []
    seen: list[Any] = []
    prefix: str = ""
    after: str = ""


class _Changed(Exception):
    """Somebody else was quicker; holds what is there now."""

    def __init__(self, found: str | None) -> None:
        self.found = found


class Keeping:
    """Answers the calls of one plugin, each with `{ok, data}` or `{ok, error, engine}`."""

    def __init__(self, plugin: str, services: Services, exchange: Exchange) -> None:
        self._plugin, self._services, self._exchange = plugin, services, exchange
        self._tasks: set[asyncio.Task[None]] = set()
        self._parts = Parts()

    def called(self, call: Call) -> None:
        """One came."""
        if len(self._tasks) >= MOST:
            self._tell(call, {"ok": False, "error": f"more than {MOST} calls at once", "engine": ""})
            return
        task = asyncio.create_task(self._answer(call), name="plugin-values")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Nobody waits for them any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _answer(self, call: Call) -> None:
        try:
            told = {"ok": True, "data": await self._done(call)}
        except EngineUnavailable as error:
            told = {"ok": False, "error": error.reason, "engine": error.engine}
        except ActionFailed as failed:
            told = {"ok": False, "error": failed.message, "engine": "", "retcode": failed.retcode}
        except (ValueError, TypeError) as error:
            told = {"ok": False, "error": str(error), "engine": ""}
        self._tell(call, told)

    async def _done(self, call: Call) -> Any:
        if call.name != PUT:
            return await self._do(call.name, msgspec.json.decode(call.payload, type=Wanted))
        part = msgspec.json.decode(call.payload, type=Part)
        if (piece := self._parts.add(part)) is not None:
            await self._services.keep_media(part.token, piece)
        return None

    async def _do(self, name: str, wanted: Wanted) -> Any:
        values, plugin, key = self._services.values(), self._plugin, wanted.key
        if name == "values.keys":
            return await values.keys(plugin, _plain(wanted.prefix), _plain(wanted.after), MOST_KEYS)
        if not _plain(key):
            raise ValueError("a key can't be empty")
        if name == "values.get":
            return _found(await values.get(plugin, key))
        if name == "values.delete":
            return await values.delete(plugin, key)
        if name == "values.set":
            return await values.set(plugin, key, _text(wanted))
        if name == "values.change":
            return await self._change(values, wanted)
        raise ValueError(f"there is no {name[:64]!r}")

    async def _change(self, values: Values, wanted: Wanted) -> Any:
        """None; what is there when that is not what was seen: then nothing was changed."""
        text = _text(wanted)

        def put(found: str | None) -> str:
            if ([] if found is None else [msgspec.json.decode(found)]) != wanted.seen:
                raise _Changed(found)
            return text

        try:
            await values.change(self._plugin, wanted.key, put)
        except _Changed as changed:
            return _found(changed.found)
        return None

    def _tell(self, call: Call, told: dict[str, Any]) -> None:
        name = f"{call.name}_response"
        if not self._exchange.tell("response", name, told, call.id):
            self._exchange.tell(
                "response", name, {"ok": False, "error": "the answer is too long", "engine": ""}, call.id
            )


def _found(text: str | None) -> list[msgspec.Raw]:
    return [] if text is None else [msgspec.Raw(text.encode())]


def _plain(text: str) -> str:
    if len(text) > LONGEST_KEY or "\x00" in text:
        raise ValueError(f"a key has 1 to {LONGEST_KEY} characters, none of them NUL")
    return text


def _text(wanted: Wanted) -> str:
    if len(wanted.value) != 1 or len(bytes(wanted.value[0])) > LARGEST:
        raise ValueError(f"a value has at most {LARGEST // 1024} KiB as JSON")
    return bytes(wanted.value[0]).decode()

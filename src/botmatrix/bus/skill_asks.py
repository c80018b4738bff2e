"""Skills called from code: what plugins ask, what nexuses answer.

What is asked is an entry of a stream, so it outlives every process; the answer is kept for ten minutes and published.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.envelope import FIELD
from botmatrix.bus.keys import Keys
from botmatrix.bus.scripts import ANSWER_SKILL, ASK_SKILL
from botmatrix.bus.signals import Signals
from botmatrix.skills.model import SkillAnswer, SkillAsk, decode_answer, decode_ask, encode

GROUP: Final = "nexuses"
KEPT_SECONDS: Final = 600
ABANDONED_MS: Final = 15_000
LOOK_SECONDS: Final = 1.0


class SkillCaller:
    """The side of a worker. `inc`: where answers are published."""

    def __init__(self, url: str, keys: Keys, inc: str) -> None:
        self._keys, self._inc = keys, inc
        self._client = Client(url, name=f"botmatrix-skill-calls-{inc}")
        self._signals = Signals(url, name=f"botmatrix-skill-answers-{inc}")
        self._waiting: dict[str, asyncio.Future[SkillAnswer]] = {}
        self._listening = False

    async def call(self, ask: SkillAsk, timeout: float) -> SkillAnswer | None:
        """Ask, and wait so many seconds; None: no answer came. Asked again, it is the first answer.

        Raises `EngineUnavailable`.
        """
        self._listen()
        waiter = self._waiting.setdefault(ask.execution_id, asyncio.get_running_loop().create_future())
        try:
            known = await self._client.run(
                ASK_SKILL,
                [*self._names(ask.execution_id), self._keys.skills_asked],
                encode(ask),
                self._inc,
                KEPT_SECONDS,
            )
            return decode_answer(known) if known else await self._wait(ask.execution_id, waiter, timeout)
        finally:
            self._waiting.pop(ask.execution_id, None)

    async def close(self) -> None:
        """End the connections."""
        await self._signals.close()
        await self._client.close()

    async def _wait(self, id: str, waiter: asyncio.Future[SkillAnswer], timeout: float) -> SkillAnswer | None:
        """What is published may get lost, so the answer is looked up each second as well."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout
        while not waiter.done() and (left := until - loop.time()) > 0:
            await asyncio.wait([waiter], timeout=min(left, LOOK_SECONDS))
            if not waiter.done() and (found := await self._client.call("GET", self._keys.skill_answer(id))):
                return decode_answer(found)
        return waiter.result() if waiter.done() else None

    def _names(self, id: str) -> list[str]:
        return [self._keys.skill_answer(id), self._keys.skill_caller(id)]

    def _listen(self) -> None:
        if not self._listening:
            self._signals.subscribe(self._keys.skill_answered(self._inc), self._on_answer)
            self._listening = True

    def _on_answer(self, body: bytes) -> None:
        answer = decode_answer(body)
        waiter = self._waiting.get(answer.execution_id) if answer else None
        if answer is not None and waiter is not None and not waiter.done():
            waiter.set_result(answer)


class Asked(msgspec.Struct):
    """One entry of what is asked; `ask` is None when it can't be read."""

    entry_id: bytes
    ask: SkillAsk | None


class AskBox:
    """The side of a nexus. Every method raises `EngineUnavailable`, `ReplyError`."""

    def __init__(self, url: str, keys: Keys, *, name: str) -> None:
        self._keys = keys
        self._client = Client(url, name=name)
        self._reader = Client(url, name=f"{name}-asked", timeout=10.0)

    async def asked(self, reader: str, *, count: int = 200, block_ms: int = 1000) -> list[Asked]:
        """The next ones; an empty list after `block_ms`. They stay this reader's until `done`."""
        try:
            reply = await self._reader.call(
                *("XREADGROUP", "GROUP", GROUP, reader, "COUNT", count, "BLOCK", block_ms),
                *("STREAMS", self._keys.skills_asked, ">"),
            )
        except ReplyError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            await self._make_group()
            return []
        return _asked(reply[0][1]) if reply else []

    async def abandoned(self, reader: str) -> list[Asked]:
        """What a nexus read and never finished; now it is this reader's."""
        claim = ("XAUTOCLAIM", self._keys.skills_asked, GROUP, reader, ABANDONED_MS, "0", "COUNT", 200)
        try:
            return _asked((await self._client.call(*claim))[1])
        except ReplyError as error:
            if str(error).startswith("NOGROUP"):
                return []
            raise

    async def done(self, asked: Sequence[Asked]) -> None:
        """These are executions now: forget them."""
        ids, stream = [one.entry_id for one in asked], self._keys.skills_asked
        await self._client.pipeline(("XACK", stream, GROUP, *ids), ("XDEL", stream, *ids))

    async def answer(self, answers: Sequence[SkillAnswer]) -> None:
        """Tell whoever called; an answer that nobody waits for is dropped."""
        k = self._keys
        await asyncio.gather(
            *(
                self._client.run(
                    *(ANSWER_SKILL, [k.skill_answer(one.execution_id), k.skill_caller(one.execution_id)]),
                    *(k.prefix, encode(one), KEPT_SECONDS),
                )
                for one in answers
            )
        )

    async def close(self) -> None:
        """End the connections."""
        await self._client.close()
        await self._reader.close()

    async def _make_group(self) -> None:
        try:
            await self._reader.call("XGROUP", "CREATE", self._keys.skills_asked, GROUP, "0", "MKSTREAM")
        except ReplyError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise


def _asked(entries: list[tuple[bytes, list[bytes] | None]]) -> list[Asked]:
    found = []
    for entry_id, fields in entries:
        known = dict(zip(fields[::2], fields[1::2], strict=False)) if fields else {}
        found.append(Asked(entry_id, decode_ask(known.get(FIELD, b""))))
    return found

"""Who said what last: a context of each person and of each conversation, kept in Redis for a while."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol

import msgspec
import structlog

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.connection import Argument
from botmatrix.bus.envelope import Envelope
from botmatrix.bus.keys import Keys
from botmatrix.bus.scripts import REMEMBER
from botmatrix.errors import EngineUnavailable

log = structlog.get_logger("memory")

MOST_WAITING: Final = 4096
"""Messages that wait to be written while Redis is slow or away; the oldest are dropped beyond that."""
LONGEST_TEXT: Final = 500
LONGEST_ID: Final = 128
GROUP: Final = 64
_PAUSE: Final = 1.0

_encode = msgspec.json.Encoder().encode


class Lifetimes(Protocol):
    """What the hot configuration says of sessions."""

    @property
    def session_ttl_sec(self) -> int:
        """For how long a session is kept after its last message."""
        ...

    @property
    def session_history(self) -> int:
        """How many messages a context holds; 0: none is written."""
        ...


class Heard(msgspec.Struct, frozen=True):
    """One message of a history. `id`: the event's; `time`: when it was received, unix seconds.

    `bot` is `platform:self_id`, `conv` is `group:456` or `private:123`; `text` is cut after 500 characters. What
    another program wrote may lack fields: they are empty then.
    """

    id: str = ""
    time: int = 0
    bot: str = ""
    conv: str = ""
    user_id: str = ""
    message_id: str = ""
    text: str = ""


class _Note(NamedTuple):
    """One message for one context. `whose`: the context's own fields."""

    key: str
    whose: dict[str, str]
    heard: Heard


class Memory:
    """Writes what was heard, beside the message path and only while somebody wants it.

    A message is noted before it is handled. Nothing waits for the writing; a worker that is killed loses what it had
    not written and notes the message again when it is redelivered, which adds nothing to a history that has it.
    """

    def __init__(self, client: Client, keys: Keys, lifetimes: Callable[[], Lifetimes]) -> None:
        self._client, self._keys, self._lifetimes = client, keys, lifetimes
        self._waiting: deque[_Note] = deque(maxlen=MOST_WAITING)
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()
        self._wanted = 0
        self.dropped = 0
        """Notes that were never written, since Redis was away for too long."""

    @property
    def asked_for(self) -> bool:
        """Whether anybody reads histories."""
        return self._wanted > 0

    @property
    def wanted(self) -> bool:
        """Whether anything is to be noted."""
        return self._wanted > 0 and self._lifetimes().session_history > 0

    def want(self) -> Callable[[], None]:
        """Somebody reads histories; the result takes it back."""
        self._wanted += 1

        def unwant() -> None:
            self._wanted -= 1

        return unwant

    def note(self, envelope: Envelope, event: Mapping[str, Any], text: str) -> None:
        """A person said something in a conversation; `text` may be empty, for a picture for instance."""
        bot, user, message = envelope.bot, _id(event.get("user_id")), _id(event.get("message_id"))
        text = (text or str(event.get("raw_message") or ""))[:LONGEST_TEXT]
        heard = Heard(envelope.id, envelope.t // 1000, bot, envelope.conv, user, message, text)
        platform = bot.partition(":")[0]
        person, place = {"platform": platform, "user_id": user}, {"bot": bot, "conv": envelope.conv}
        self._append(_Note(self._keys.session(f"{platform}:{user}"), person, heard))
        self._append(_Note(self._keys.conversation(envelope.conversation), place, heard))
        self._wake.set()

    async def run(self) -> None:
        """Write what is noted, until cancelled; while Redis is away it waits."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self.written()
            except (EngineUnavailable, ReplyError) as error:
                log.debug("histories wait for Redis", error=str(error))
                await asyncio.sleep(_PAUSE)
                self._wake.set()

    async def written(self) -> None:
        """Until everything noted by now is written. Raises `EngineUnavailable`, `ReplyError`."""
        async with self._writing:
            while self._waiting:
                group = [self._waiting.popleft() for _ in range(min(GROUP, len(self._waiting)))]
                try:
                    await self._write(group)
                except BaseException:
                    self._put_back(group)
                    raise

    async def _write(self, notes: list[_Note]) -> None:
        times, contexts = self._lifetimes(), dict[str, list[_Note]]()
        for note in notes:
            contexts.setdefault(note.key, []).append(note)
        args: list[Argument] = [max(1, times.session_history), times.session_ttl_sec]
        for group in contexts.values():
            last = group[-1].heard
            fields = {"last_msg": last.text, "last_time": last.time}
            args += (_inside(group[0].whose), _inside(fields), last.time, len(group))
            for note in group:
                args += (note.heard.id, _encode(note.heard))
        await self._client.run(REMEMBER, list(contexts), *args)

    def _append(self, note: _Note) -> None:
        self.dropped += len(self._waiting) == MOST_WAITING
        self._waiting.append(note)

    def _put_back(self, notes: list[_Note]) -> None:
        room = MOST_WAITING - len(self._waiting)
        self.dropped += max(0, len(notes) - room)
        self._waiting.extendleft(notes[::-1][:room])


def _id(value: object) -> str:
    return str(value)[:LONGEST_ID] if isinstance(value, int | str) else ""


def _inside(fields: Mapping[str, object]) -> bytes:
    """A JSON object without its braces."""
    return _encode(fields)[1:-1]

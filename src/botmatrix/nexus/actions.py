"""Actions on their way to the bots of this nexus.

Reading an entry is the SENT mark: what was read and not finished when the process dies was perhaps sent, and is never
sent again. Ended actions are taken off the stream in batches.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import Any

import msgspec
import structlog

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.connection import Connection, open_connection
from botmatrix.bus.envelope import FIELD, ActionEntry, decode_action, encode
from botmatrix.bus.keys import Keys
from botmatrix.bus.scripts import FORWARD
from botmatrix.clock import Clock
from botmatrix.errors import BadEnvelope, EngineUnavailable
from botmatrix.nexus.bot import Bot
from botmatrix.nexus.endings import Endings
from botmatrix.nexus.hub import Hub
from botmatrix.nexus.media import NAMED, addressed
from botmatrix.nexus.pacer import MOST, Pacer
from botmatrix.nexus.recent import RecentActions
from botmatrix.nexus.tracer import Tracer
from botmatrix.onebot.action import ActionResponse

log = structlog.get_logger("actions")
COUNT = 64
BLOCK_MS = 1000
MAX_OPEN = 32_768
"""Actions of all bots that were read and have not ended, before no more are read."""
MAX_WAITING = 1024
"""Unsent actions of one bot that reads or answers too slowly; what is over fails at once, so that others go on."""
ACTION_TIMEOUT = 30.0
RETRY_SECONDS = 0.05
AMBIGUOUS = frozenset({1200, 1401})
"""Retcodes that mean "no answer in time": the platform may have done it all the same."""


class Sent:
    """An entry that was read: its id, what it asks for, when it was written to a link (ms), whether it has ended."""

    __slots__ = ("action", "ended", "entry_id", "written_at")

    def __init__(self, entry_id: bytes, action: ActionEntry) -> None:
        self.entry_id, self.action = entry_id, action
        self.ended = False
        self.written_at = 0


class Actions:
    """Reads this incarnation's action stream and writes to the links."""

    def __init__(self, url: str, client: Client, keys: Keys, inc: str, hub: Hub, clock: Clock, tracer: Tracer) -> None:
        self._url, self._client, self._keys, self._inc = url, client, keys, inc
        self._hub, self._clock, self._tracer = hub, clock, tracer
        self._waiting: dict[str, deque[Sent]] = {}  # bot -> unsent, because its link is away or full
        self.endings = Endings(client, keys, inc)
        self.pacer: Pacer[Sent] = Pacer(client, keys, inc, hub, clock)
        self.pacer.on_moved, self.pacer.on_full = self._moved, self._crowded_out
        self._room = asyncio.Event()
        self._forwarding = asyncio.Lock()  # the stop gives back what is just being handed on
        self._open = 0
        self._stopping = False
        self._noted_at, self._unnoted = -1.0, 0
        self._lately = RecentActions()
        self._reader: Connection | None = None
        self.counters: Counter[str] = Counter()
        self.address = ""
        """The hub's address, `http://host:port`, for bots that were dialled."""

    # ---------------------------------------------------------------- reading

    async def run_read(self) -> None:
        """Read and send, for ever; survives the loss of Redis and of the group."""
        while not self._stopping:
            try:
                connection = self._reader
                if connection is None or connection.closed:
                    connection = await open_connection(self._url, name=f"botmatrix-actions-{self._inc}", timeout=6.0)
                    self._reader = connection
                    await self._read_lost(connection)
                for entry_id, fields in await self._read(connection, ">"):
                    self._begin(entry_id, fields)
                while self._open >= MAX_OPEN:
                    self._room.clear()
                    await self._room.wait()
            except EngineUnavailable as error:
                log.debug("no actions are read", error=str(error))
                await asyncio.sleep(0.1)
            except ReplyError as error:
                await self._make_group(error)

    async def _read_lost(self, connection: Connection) -> None:
        """Entries whose delivery got lost with the last connection: pending, but never seen here, so never sent."""
        after = b"0"
        while entries := await self._read(connection, after):
            for entry_id, fields in entries:
                if entry_id not in self.endings.held:
                    self._begin(entry_id, fields)
            after = entries[-1][0]

    async def _read(self, connection: Connection, after: bytes | str) -> list[Any]:
        reply = await connection.call(
            *("XREADGROUP", "GROUP", "g", self._inc, "COUNT", COUNT, "BLOCK", BLOCK_MS),
            *("STREAMS", self._keys.actions(self._inc), after),
        )
        return reply[0][1] if reply else []

    async def _make_group(self, error: ReplyError) -> None:
        if not str(error).startswith(("NOGROUP", "UNBLOCKED")):
            log.error("actions can't be read", error=str(error))
            await asyncio.sleep(1.0)
            return
        try:
            await self._client.call("XGROUP", "CREATE", self._keys.actions(self._inc), "g", "0", "MKSTREAM")
        except (EngineUnavailable, ReplyError) as again:
            log.debug("the group of actions can't be made", error=str(again))
            await asyncio.sleep(0.2)

    async def stop_reading(self) -> None:
        """At an orderly stop: what is not read yet stays for whoever gets the bots."""
        self._stopping = self.pacer.is_stopping = True
        if self._reader is not None:
            await self._reader.close()

    async def give_back(self) -> None:
        """When the links are closed: what was read and not sent, whoever read it, is for the bots' next nexus."""
        connection = await open_connection(self._url, name=f"botmatrix-actions-{self._inc}", timeout=6.0)
        try:
            await self._read_lost(connection)
        finally:
            await connection.close()
        await self.pacer.flush()
        for key, queue in list(self._waiting.items()):
            await self._forward(key, queue, give_back=True)

    # ---------------------------------------------------------------- sending

    def _begin(self, entry_id: bytes, fields: list[Any] | None) -> None:
        self._open += 1
        self.endings.held.add(entry_id)
        payload = dict(zip(fields[::2], fields[1::2], strict=False)).get(FIELD, b"") if fields else b""
        try:
            action = decode_action(payload)
        except BadEnvelope:
            self.counters["action_undecodable"] += 1
            nothing = ActionEntry(bot="", aid="undecodable", action="", params=msgspec.Raw(b"{}"), exp=0)
            self._end(Sent(entry_id, nothing), "FAILED", 1400, "undecodable")
            return
        sent = Sent(entry_id, action)
        if action.aid in self._lately:
            self.counters["action_twice"] += 1
            self._end(sent, *(self._lately.result(action.aid) if action.reply_to else ("DONE", 0, "")))
        elif self.pacer.puts_off(sent):
            pass
        elif action.bot in self._waiting or not self._write(sent):
            self._wait(sent)

    def _write(self, sent: Sent) -> bool:
        """To the bot's link, now. False: it can't take it."""
        action = sent.action
        bot = self._hub.bots.get(action.bot)
        now = self._clock.now() * 1000
        if action.exp < now:
            self._end(sent, "EXPIRED", 1400, "its time passed before the bot could take it")
            return True
        if bot is None:
            return False
        params = bytes(action.params)
        written = bot.call(
            action.action,
            addressed(params, self._hub_of(bot)) if NAMED in params else params,
            lambda response: self._answered(sent, response),
            timeout=ACTION_TIMEOUT,
        )
        if written:
            sent.written_at = int(now)
            self._lately.written(action.aid)
        return written

    def _hub_of(self, bot: Bot) -> str:
        """The hub's address for a bot, which is the one that it dialled."""
        link = bot.api_link
        return (link.accept.hub if link is not None else "") or self.address

    def _wait(self, sent: Sent) -> None:
        queue = self._waiting.setdefault(sent.action.bot, deque())
        if len(queue) < MAX_WAITING:
            queue.append(sent)
        else:
            self.counters["action_crowded_out"] += 1
            self._end(sent, "FAILED", 1400, f"{MAX_WAITING} actions wait for this bot already")

    async def run_waiting(self) -> None:
        """What could not be written: again, or to the nexus that has the bot, until it expires."""
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            for key in list(self._waiting):
                try:
                    await self._retry(key)
                except (EngineUnavailable, ReplyError) as error:
                    log.debug("actions wait", error=str(error))

    async def _retry(self, key: str) -> None:
        queue = self._waiting[key]
        bot = self._hub.bots.get(key)
        if bot is None or bot.api_link is None:
            await self._forward(key, queue)
        while queue and self._write(queue[0]):
            queue.popleft()
        if not queue:
            self._waiting.pop(key, None)

    async def _forward(self, key: str, queue: deque[Sent], *, give_back: bool = False) -> None:
        """Not our bot (any more): hand the actions on, unsent."""
        k = self._keys
        keys = [k.actions(self._inc), k.bot(key), k.orphans]
        async with self._forwarding:
            while queue:
                sent = queue[0]
                args = (sent.entry_id, encode(sent.action), self._inc, k.prefix, "1" if give_back else "0")
                if not await self._client.run(FORWARD, keys, *args):
                    return
                queue.popleft()
                self.counters["action_forwarded"] += 1
                self._moved(sent)

    def _moved(self, sent: Sent) -> None:
        """The entry is no longer on this stream."""
        self.endings.held.discard(sent.entry_id)
        self._close_one()

    def _crowded_out(self, sent: Sent) -> None:
        self.counters["action_crowded_out"] += 1
        self._end(sent, "FAILED", 1400, f"{MOST} messages wait for the turn of this bot already")

    # ---------------------------------------------------------------- ending

    def _answered(self, sent: Sent, response: ActionResponse | None) -> None:
        if sent.ended:
            self._answered_late(sent, response)
        elif response is None:
            self._end(sent, "UNKNOWN", 1401, "no answer from the bot")
        elif response.ok:
            self._end(sent, "DONE", response.retcode, response.message, bytes(response.data))
        elif response.retcode in AMBIGUOUS:
            self._end(sent, "UNKNOWN", response.retcode, response.message or response.wording)
        else:
            self._note_refusal(sent.action, response)
            self._end(sent, "FAILED", response.retcode, response.message or response.wording, bytes(response.data))

    def _note_refusal(self, action: ActionEntry, response: ActionResponse) -> None:
        """A line a second at most: a bot that refuses everything must not fill the log."""
        now = self._clock.monotonic()
        if now - self._noted_at < 1.0:
            self._unnoted += 1
            return
        more, self._noted_at, self._unnoted = self._unnoted, now, 0
        words = response.message or response.wording
        log.info(
            "a bot refused an action",
            bot=action.bot,
            action=action.action,
            code=response.retcode,
            words=words,
            more=more,
        )

    def _answered_late(self, sent: Sent, response: ActionResponse | None) -> None:
        """It was UNKNOWN; now it is known."""
        if response is not None and response.ok:
            self.counters["action_done_late"] += 1
            known = ("DONE", response.retcode, response.message, bytes(response.data))
            self._tracer.acted(sent.entry_id, sent.action, sent.written_at, known)
            self.endings.correct(sent.action.aid, response)

    def _end(self, sent: Sent, state: str, retcode: int, message: str, data: bytes = b"null") -> None:
        sent.ended = True
        self.counters[f"action_{state.lower()}"] += 1
        self._tracer.acted(sent.entry_id, sent.action, sent.written_at, (state, retcode, message, data))
        if state == "DONE" and not sent.action.reply_to:
            self.endings.done(sent.entry_id)
        else:
            self._lately.ended(sent.action.aid, (state, retcode, message, data))
            self.endings.tell(sent.entry_id, sent.action, state, retcode, message, data)
        self._close_one()

    def _close_one(self) -> None:
        self._open -= 1
        self._room.set()

    async def answered(self) -> None:
        """Wait until nothing that was written is without an answer."""
        while self._open > sum(len(queue) for queue in self._waiting.values()):
            self._room.clear()
            await self._room.wait()

    async def close(self) -> None:
        """End the connections."""
        if self._reader is not None:
            await self._reader.close()
        await self._client.close()

    @property
    def open(self) -> int:
        """Actions that were read and have not ended."""
        return self._open

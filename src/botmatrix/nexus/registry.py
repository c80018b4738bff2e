"""Which bots are this nexus's, as everybody else knows it: claims, the address book, the nexus's own presence."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import structlog

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.keys import Keys
from botmatrix.bus.scripts import CLAIM, DESCRIBE
from botmatrix.errors import EngineUnavailable
from botmatrix.nexus.group_lists import GroupLists
from botmatrix.nexus.hub import Bot, BotState, Hub
from botmatrix.nexus.pins import Pins
from botmatrix.usage import Usage
from botmatrix.version import VERSION

log = structlog.get_logger("registry")
PUBLISH_SECONDS = 1.0
POLL_SECONDS = 5.0
SUPERSEDED = 4001
LEASE_MS = 10_000
PAGE = 500


def boot_id() -> str:
    """Something that is the same until the machine starts again."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else f"{socket.gethostname()}-{int(psutil.boot_time())}"


class Registry:
    """Claims bots whose link came, and tells what they are doing, in pipelined rounds off the message path."""

    def __init__(self, client: Client, keys: Keys, inc: str, hub: Hub, pins: Pins) -> None:
        self._client, self._keys, self.inc, self._hub, self._pins = client, keys, inc, hub, pins
        self._to_claim: dict[str, str] = {}  # bot -> link
        self._changed: set[str] = set()
        self._heard: set[str] = set()
        self._wake = asyncio.Event()
        self._groups = GroupLists(keys)
        self._usage = Usage()
        self.on_claimed: Callable[[Bot], None] = lambda _bot: None
        self.facts: dict[str, str] = {}
        self.counters: Callable[[], Counter[str]] = Counter

    # ---------------------------------------------------------------- the hub tells

    def online(self, bot: Bot, link: str) -> None:
        """The bot's newest link is here."""
        self._groups.forget(bot)
        self._to_claim[bot.key] = link
        self._wake.set()

    def changed(self, bot: Bot) -> None:
        """State, name or groups of a bot are different now."""
        self._changed.add(bot.key)

    def heard(self, bot: Bot) -> None:
        """The bot said something: its counters are different now."""
        self._heard.add(bot.key)

    def on_superseded(self, body: bytes) -> None:
        """`bot epoch`: another nexus has a newer link of the bot."""
        key, _, epoch = body.decode(errors="replace").rpartition(" ")
        bot = self._hub.bots.get(key)
        if bot is not None and epoch.isdecimal() and int(epoch) > bot.epoch and key not in self._to_claim:
            self._hub.drop(key, SUPERSEDED, "this bot has a newer link at another nexus")

    # ---------------------------------------------------------------- tasks

    async def register(self) -> None:
        """Make this incarnation known. An earlier one of the same id whose process is gone ends at once."""
        k = self._keys
        await self._client.call("SET", k.lease(self.inc), "1", "PX", LEASE_MS)
        own_id = self.inc.rpartition(".")[0]
        for member in await self._client.call("SMEMBERS", k.nexuses):
            inc = member.decode(errors="replace")
            if inc != self.inc and inc.rpartition(".")[0] == own_id:
                boot, pid = await self._client.call("HMGET", k.nexus(inc), "boot", "pid")
                if boot == boot_id().encode() and pid and pid.isdigit() and not psutil.pid_exists(int(pid)):
                    await self._client.call("DEL", k.lease(inc))
        try:
            await self._client.call("XGROUP", "CREATE", k.actions(self.inc), "g", "0", "MKSTREAM")
        except ReplyError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
        await self.announce()

    async def announce(self) -> None:
        """What this nexus says of itself."""
        online = sum(bot.state is not BotState.OFFLINE for bot in self._hub.bots.values())
        fields = {
            **{"boot": boot_id(), "pid": str(os.getpid()), "version": VERSION},
            **{"host": socket.gethostname(), "bots": str(online), "seen": f"{time.time():.3f}"},
            **self._usage.fields(),
            **self.facts,
            **{f"count_{name}": str(value) for name, value in self.counters().items()},
        }
        flat = [part for pair in fields.items() for part in pair]
        k = self._keys
        key = k.nexus(self.inc)
        await self._client.pipeline(("HSET", key, *flat), ("EXPIRE", key, 86_400), ("SADD", k.nexuses, self.inc))

    async def run_claims(self) -> None:
        """Claim what waits, for as long as it takes."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                while self._to_claim:
                    await self._claim_page()
            except (EngineUnavailable, ReplyError) as error:
                log.debug("bots wait to be registered", error=str(error))
                await asyncio.sleep(0.2)
                self._wake.set()

    async def run_publish(self) -> None:
        """Write changed bots once a second, the nexus itself each five; look for newer links elsewhere."""
        next_poll = 0.0
        while True:
            await asyncio.sleep(PUBLISH_SECONDS)
            try:
                await self._publish_changed()
                if time.monotonic() >= next_poll:
                    next_poll = time.monotonic() + POLL_SECONDS
                    self._changed |= self._heard
                    self._heard.clear()
                    await self.announce()
                    await self._poll_epochs()
            except (EngineUnavailable, ReplyError) as error:
                log.debug("presence is not written", error=str(error))

    async def farewell(self) -> None:
        """At an orderly stop: our bots are offline now."""
        for bot in self._hub.bots.values():
            self._changed.add(bot.key)
        await self._publish_changed()
        await self.announce()

    async def close(self) -> None:
        """End the connection."""
        await self._client.close()

    # ---------------------------------------------------------------- inside

    async def _claim_page(self) -> None:
        page = [(key, link, self._hub.bots.get(key)) for key, link in list(self._to_claim.items())[:PAGE]]
        claims = [self._claim(bot, link) if bot is not None else _nothing() for _, link, bot in page]
        answers = await asyncio.gather(*claims, return_exceptions=True)
        failed: BaseException | None = None
        for (key, link, _), answer in zip(page, answers, strict=True):
            failed = answer or failed
            if self._to_claim.get(key) == link:
                del self._to_claim[key]
                if answer is not None:
                    self._to_claim[key] = link  # behind the others
        if failed is not None:
            raise failed

    async def _claim(self, bot: Bot, link: str) -> None:
        """Claim it if it is still here, and find where its conversations are."""
        k = self._keys
        epoch = bot.epoch
        if bot.state is not BotState.OFFLINE:
            fields = [part for pair in {**_describe(bot), "link": link}.items() for part in pair]
            keys = [k.bot(bot.key), k.epoch, k.bots]
            epoch = int(await self._client.run(CLAIM, keys, bot.key, self.inc, k.prefix, *fields))
        if bot.epoch == 0:
            flat = await self._client.call("HGETALL", k.affinity(bot.key))
            for conv, lane in zip(flat[::2], flat[1::2], strict=True):
                self._pins.restore(bot.key, conv.decode(errors="replace"), lane.decode(errors="replace"))
        # One that has left meanwhile is claimed anew when it comes back, but what it said goes on.
        bot.epoch = epoch if bot.state is not BotState.OFFLINE else 0
        self.on_claimed(bot)

    async def _publish_changed(self) -> None:
        keys, self._changed = self._changed, set()
        try:
            self._changed |= keys & self._to_claim.keys()  # not ours yet, or not again
            changed = [self._hub.bots[key] for key in keys - self._changed if key in self._hub.bots]
            for start in range(0, len(changed), PAGE):
                await self._publish_groups(changed[start : start + PAGE])
                answers = await self._client.pipeline(*map(self._described, changed[start : start + PAGE]))
                if any(str(answer).startswith("NOSCRIPT") for answer in answers):
                    self._changed |= keys
                    await self._client.call("SCRIPT", "LOAD", DESCRIBE.text)
        except EngineUnavailable:
            self._changed |= keys
            raise

    async def _publish_groups(self, bots: list[Bot]) -> None:
        lists = [(bot, command) for bot in bots if (command := self._groups.changed(bot)) is not None]
        try:
            await self._client.pipeline(*(command for _, command in lists))
        except EngineUnavailable:
            for bot, _ in lists:
                self._groups.forget(bot)
            raise

    def _described(self, bot: Bot) -> tuple[str | int, ...]:
        fields = {**_describe(bot), "groups_mark": self._groups.mark(bot)}
        flat = [part for pair in fields.items() for part in pair]
        return ("EVALSHA", DESCRIBE.sha, 1, self._keys.bot(bot.key), self.inc, *flat)

    async def _poll_epochs(self) -> None:
        """A lost superseding signal heals here, and so does a Redis that lost its data."""
        mine = [bot for bot in self._hub.bots.values() if bot.epoch and bot.state is not BotState.OFFLINE]
        for start in range(0, len(mine), PAGE):
            page = mine[start : start + PAGE]
            answers = await self._client.pipeline(*(("HGET", self._keys.bot(bot.key), "epoch") for bot in page))
            for bot, epoch in zip(page, answers, strict=True):
                if epoch is None:
                    self.online(bot, "again")
                elif isinstance(epoch, bytes):
                    self.on_superseded(bot.key.encode() + b" " + epoch)


async def _nothing() -> None:
    """The claim of a bot that was forgotten."""


def _describe(bot: Bot) -> dict[str, str]:
    """The fields of a bot's hash that its nexus writes."""
    return {
        **{"platform": bot.platform, "self_id": bot.self_id, "state": bot.state.value, "since": f"{bot.since:.3f}"},
        **{"nickname": bot.nickname, "remote": bot.remote, "user_agent": bot.user_agent},
        **{"groups": str(len(bot.groups)), "received": str(bot.received), "sent": str(bot.sent)},
        **{"failed": str(bot.failed), "last_event_at": f"{bot.last_event_at:.3f}"},
    }

"""Several bots in one group: of what all of them hear, one answers, where the group's policy says so.

Every nexus decides for itself from the same facts: the policies, which bots are online (of its own it knows at once, of
others by Redis, asked twice a second), and which were heard in the group. So no event waits for anybody.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import structlog

from botmatrix.bus.client import ReplyError
from botmatrix.bus.document_state import DocumentState
from botmatrix.bus.groups import GroupsBox, Pair
from botmatrix.clock import Clock
from botmatrix.config.home import Home
from botmatrix.core.text import said
from botmatrix.errors import EngineUnavailable
from botmatrix.nexus.bot import Bot, BotState
from botmatrix.nexus.hub import Hub
from botmatrix.onebot.event import Event
from botmatrix.routing.groups import BEHIND, GroupPolicies, GroupPolicy, Policy, called, is_shared, parse, responsible

log = structlog.get_logger("groups")
EVERY: Final = 0.5
GRAIN: Final = 30
"""Seconds by which the moment a bot was heard must move before it is written again."""
PATIENCE: Final = 60.0
"""Seconds for which it must be so before the bot counts as not in the group."""
FORGOTTEN: Final = 7 * 86_400


class Groups:
    """The stage of the pipeline. `are_governed`: some group has a policy that makes a difference."""

    def __init__(self, box: GroupsBox, home: Home, hub: Hub, clock: Clock) -> None:
        self._box, self._hub, self._clock = box, hub, clock
        self.state: DocumentState[GroupPolicies] = DocumentState(
            box, home, "group-policies.json", parse, GroupPolicies()
        )
        self.state.on_change = self._take
        self._policies: dict[str, GroupPolicy] = {}
        self._heard: dict[str, dict[str, int]] = {}  # group -> bot -> unix seconds, here or elsewhere
        self._unwritten: dict[Pair, int] = {}
        self._written: dict[Pair, int] = {}
        self._known: dict[Pair, int] = {}  # as Redis had it at the last look
        self._groups_of: dict[str, set[str]] = {}  # bot -> groups with a policy in which it may answer
        self._online: dict[str, bool] = {}
        self._behind: dict[Pair, float] = {}  # since when (monotonic)
        self._responsible: dict[str, str] = {}
        self.are_governed = False

    def stop(self, bot: Bot, event: Event, received_ms: int) -> str:
        """The bot that answers in this one's place; "": the event goes on."""
        if not event.group_id or event.detail_type == "private":
            return ""
        group = f"{bot.platform}:{event.group_id}"
        policy = self._policies.get(group)
        if policy is None:
            return ""
        self._hear(group, bot.key, received_ms // 1000)
        if not is_shared(event, bot.self_id):
            return ""
        chosen = self._responsible.get(group, "")
        if policy.policy is Policy.MENTIONED and (mentioned := self._mentioned(group, bot, event)):
            chosen = mentioned
        return "" if chosen == bot.key else chosen

    def bot_changed(self, bot: Bot) -> None:
        """A bot of this nexus came, went, is well again or in other groups: who answers may be another one."""
        if self.are_governed:
            self._expect(bot)
            for group in self._groups_of.get(bot.key, ()):
                self._responsible[group] = self._choose(group, self._policies[group])

    async def prepare(self) -> None:
        """Have the policies before the first event: of Redis, else the last good copy."""
        self.state.restore()
        with contextlib.suppress(EngineUnavailable, ReplyError, TimeoutError):
            async with asyncio.timeout(3.0):
                await self.state.look(first=True)
                await self.look()

    async def run(self) -> None:
        """Learn twice a second who is there, while there is a policy."""
        while True:
            await asyncio.sleep(EVERY * (1 + len(self._policies) // 1000))
            if self.are_governed:
                with contextlib.suppress(EngineUnavailable, ReplyError):
                    await self.look()

    async def look(self) -> None:
        """Tell who was heard here, learn who was heard and who is online elsewhere. Raises `EngineUnavailable`."""
        await self._write()
        known = await self._box.heard()
        if known != self._known:
            await self._learn(known)
        online = await self._box.online([bot for bot in self._groups_of if not self._is_here(bot)])
        if known != self._known or online != self._online or self._behind:
            self._known, self._online = known, online
            self._decide()

    async def close(self) -> None:
        """End the connection."""
        await self._box.close()

    # ---------------------------------------------------------------- inside

    def _take(self, policies: GroupPolicies) -> None:
        self._policies = {group: one for group, one in policies.groups.items() if one.policy is not Policy.ALL}
        self._heard = {group: bots for group, bots in self._heard.items() if group in self._policies}
        self._known, self._behind, self._groups_of = {}, {}, {}
        for group, policy in self._policies.items():
            for bot in {*policy.bots, *self._heard.get(group, ())}:
                self._groups_of.setdefault(bot, set()).add(group)
        self.are_governed = bool(self._policies)
        for ours in self._hub.bots.values() if self.are_governed else ():
            self._expect(ours)
        self._decide()

    def _expect(self, bot: Bot) -> None:
        """A bot that says it is in a group with a policy may answer there before it has heard anything."""
        now = int(self._clock.now())
        for group_id in bot.groups if bot.state is BotState.ONLINE else ():
            group = f"{bot.platform}:{group_id}"
            if group in self._policies and bot.key not in self._heard.get(group, ()):
                self._hear(group, bot.key, now)

    def _hear(self, group: str, bot: str, now: int) -> None:
        bots = self._heard.setdefault(group, {})
        is_new = bot not in bots
        bots[bot] = now
        if now - self._written.get((group, bot), 0) >= GRAIN:
            self._unwritten[group, bot] = now
        if is_new:
            self._groups_of.setdefault(bot, set()).add(group)
            self._responsible[group] = self._choose(group, self._policies[group])

    async def _learn(self, known: dict[Pair, int]) -> None:
        """Who was heard elsewhere."""
        for (group, bot), moment in known.items():
            if group in self._policies:
                bots = self._heard.setdefault(group, {})
                bots[bot] = max(moment, bots.get(bot, 0))
                self._groups_of.setdefault(bot, set()).add(group)
        old = [pair for pair, moment in known.items() if moment < self._clock.now() - FORGOTTEN]
        if old:
            await self._box.forget(old[:1000])

    def _mentioned(self, group: str, bot: Bot, event: Event) -> str:
        """The bot that the message mentions, this one first; "" when it mentions none that is there."""
        if event.post_type != "message" or (b'"at"' not in event.raw and b"CQ:at" not in event.raw):
            return ""
        mentioned = {f"{bot.platform}:{name}" for name in said(event.raw).mentions}
        known = (*self._heard.get(group, ()), *self._policies[group].bots)
        return called(bot.key, mentioned, known, self._is_online)

    def _decide(self) -> None:
        self._responsible = {group: self._choose(group, policy) for group, policy in self._policies.items()}

    def _choose(self, group: str, policy: GroupPolicy) -> str:
        heard = self._heard.get(group, {})
        newest = max(heard.values(), default=0)

        def is_there(bot: str) -> bool:
            late = self._is_left_behind((group, bot), newest - heard.get(bot, policy.since))
            return self._is_online(bot) and not late

        return responsible(policy, heard, is_there)

    def _is_left_behind(self, pair: Pair, seconds: int) -> bool:
        """Whether the others hear what this bot does not, and have for a while: it is no longer in the group."""
        if seconds <= BEHIND:
            self._behind.pop(pair, None)
            return False
        now = self._clock.monotonic()
        return now - self._behind.setdefault(pair, now) > PATIENCE

    def _is_here(self, key: str) -> bool:
        bot = self._hub.bots.get(key)
        return bot is not None and bot.state is BotState.ONLINE

    def _is_online(self, key: str) -> bool:
        return self._is_here(key) or self._online.get(key, False)

    async def _write(self) -> None:
        writing, self._unwritten = self._unwritten, {}
        if not writing:
            return
        try:
            await self._box.hear(writing)
        except (EngineUnavailable, ReplyError):
            self._unwritten = writing | self._unwritten
            raise
        self._written |= writing

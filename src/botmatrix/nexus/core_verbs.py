"""Carries out what chat administrators ask of the hub, one after another, and answers them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from botmatrix.bus.client import ReplyError
from botmatrix.bus.core import CoreBox
from botmatrix.clock import Clock
from botmatrix.core import verbs
from botmatrix.core.config import BadCoreConfig
from botmatrix.core.plugins import BadPlugins
from botmatrix.core.text import said
from botmatrix.core.verbs import Verb
from botmatrix.errors import EngineUnavailable
from botmatrix.nexus.bot import Bot
from botmatrix.nexus.core_answers import Answers
from botmatrix.nexus.core_config import CoreState
from botmatrix.nexus.core_figures import day_of
from botmatrix.nexus.plugin_verbs import PREFIX, PluginVerbs
from botmatrix.onebot.event import Event

log = structlog.get_logger("core")
MOST_WAITING: Final = 100
TOP: Final = 5
_KINDS: Final = {"user": "用户 Users", "group": "群 Groups", "bot": "机器人 Bots"}

Count = Callable[[], Mapping[str, int]]


class Verbs:
    """`facts`: the counters of this nexus, for `status`. Counter: `core_verbs_left_out`."""

    def __init__(
        self, state: CoreState, box: CoreBox, answers: Answers, plugins: PluginVerbs, facts: Count, clock: Clock
    ) -> None:
        self._plugins = plugins
        self._state, self._box, self._answers = state, box, answers
        self._facts, self._clock = facts, clock
        self._waiting: asyncio.Queue[tuple[Bot, Event]] = asyncio.Queue(MOST_WAITING)
        self.counters: Counter[str] = Counter()

    def take(self, bot: Bot, event: Event) -> None:
        """An administrator said this to the hub; it is done soon."""
        try:
            self._waiting.put_nowait((bot, event))
        except asyncio.QueueFull:
            self.counters["core_verbs_left_out"] += 1

    async def run(self) -> None:
        """One after another, in the order in which they were said."""
        while True:
            bot, event = await self._waiting.get()
            self._answers.say(bot, event, await self._answer(bot, event))

    async def _answer(self, bot: Bot, event: Event) -> str:
        text = said(event.raw).text
        about_plugins = text.split()[0].lower() == PREFIX
        verb = verbs.read("" if about_plugins else text)
        if verb.dangerous and not verb.confirmed and event.detail_type != "private":
            return verbs.ask_to_confirm(text)
        try:
            if about_plugins:
                return await self._plugins.answer(bot, event, text)
            return await self._change(bot, event, verb) if verb.changes else await self._tell(verb)
        except (BadCoreConfig, BadPlugins) as error:
            return f"无法执行 That can't be done: {error}"
        except (EngineUnavailable, ReplyError) as error:
            log.warning("a verb could not be done", verb=verb.word, error=str(error))
            return "Redis 暂时不可用，请稍后再试。 Redis is away: nothing was changed, please try again."

    async def _change(self, bot: Bot, event: Event, verb: Verb) -> str:
        altered = await self._state.replace(lambda config: verbs.apply(config, verb))
        by = f"{bot.platform}:{event.user_id}"
        log.info(
            "a chat administrator changed the judge",
            **{"by": by, "bot": bot.key, "verb": verb.word, "change": verb.change, "of": verb.id},
            altered=altered,
        )
        return verbs.done(verb, altered=altered)

    async def _tell(self, verb: Verb) -> str:
        match verb.word:
            case "status":
                return self._status()
            case "top":
                return await self._top()
            case "reload":
                await self._state.look()
                return f"配置已是最新，版本 {self._state.version}。 The configuration is up to date."
            case _:
                return verbs.HELP

    def _status(self) -> str:
        facts = self._facts()
        judge = self._state.judge
        state = {"": "开启 open", "system_closed": "关闭 closed"}.get(judge.closed, "维护 maintenance")
        if not judge.config.enabled:
            state = "判断已停用 judge disabled"
        lines = [f"状态 State: {state}", f"配置版本 Version: {self._state.version}"]
        words = {"received": "收到 Received", "accepted": "接受 Accepted", "blocked": "拦截 Blocked"}
        lines += [f"{word}: {facts.get(name, 0)}" for name, word in words.items()]
        return "\n".join(lines)

    async def _top(self) -> str:
        day = day_of(self._clock.now())
        lines = ["今日 Today (UTC)"]
        for kind, word in _KINDS.items():
            found = await self._box.top(day, kind, TOP)
            lines.append(f"{word}: " + (", ".join(f"{one.name} {one.messages}" for one in found) or "-"))
        return "\n".join(lines)

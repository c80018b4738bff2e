"""What stands around routing: limits, policies of groups, conditions of tasks, duplicates, switches of plugins."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Final, get_args

from botmatrix.bus.client import Client
from botmatrix.bus.groups import GroupsBox
from botmatrix.bus.hot import HotBox
from botmatrix.bus.hot_values import Kind, Whose, check, rate_limits, ttls
from botmatrix.bus.keys import Keys
from botmatrix.bus.plugins import PluginsBox
from botmatrix.control.explain_notes import Asked, Note
from botmatrix.core.plugins import BadPlugins, Matrix, PluginWishes
from botmatrix.core.plugins import parse as parse_plugins
from botmatrix.core.text import said
from botmatrix.errors import EngineUnavailable
from botmatrix.routing.groups import (
    BEHIND,
    BadGroupPolicies,
    GroupPolicies,
    GroupPolicy,
    Policy,
    called,
    is_shared,
    parse,
    responsible,
)
from botmatrix.store.tasks import Tasks
from botmatrix.tasks.conditions import Condition, Conditions
from botmatrix.tasks.model import BadTask

_NAMED: Final = 20
"""Plugins that a line names at most."""


class Surroundings:
    """Every method raises `EngineUnavailable`; a document that nobody can use says nothing."""

    def __init__(self, redis: Client, keys: Keys) -> None:
        self._redis, self._keys = redis, keys
        self._hot, self._groups, self._plugins = HotBox(redis, keys), GroupsBox(redis, keys), PluginsBox(redis, keys)

    async def before(self, asked: Asked) -> list[Note]:
        """What comes between the judge and the rules."""
        notes = await self._limits(asked)
        in_group = asked.self_id and asked.group and asked.event.detail_type != "private"
        policy = await self._policy(asked.group) if in_group else None
        if policy is not None and policy.policy is not Policy.ALL and is_shared(asked.event, asked.self_id):
            notes.append(await self._answering(asked, policy))
        return notes

    async def conditions(self, asked: Asked, tasks: Tasks) -> list[Note]:
        """The tasks that it sets off; none that are known while PostgreSQL is away."""
        if not asked.event.user_id or await self._redis.call("SISMEMBER", self._keys.bots, asked.user):
            return []  # what bots of ours say sets nothing off
        found: dict[int, tuple[str, Condition]] = {}
        with contextlib.suppress(EngineUnavailable):
            for task in await tasks.conditions():
                with contextlib.suppress(BadTask, ValueError):
                    found[task.id] = task.name, Condition.read(task.trigger_config)
        met = await asyncio.to_thread(_met, asked, found)
        return [_task(number, *found[number]) for number in met]

    async def after(self, asked: Asked) -> list[Note]:
        """What comes behind the rules."""
        numbers = check(Kind.TTL, await self._hot.read(Kind.TTL)).numbers
        notes = [Note("duplicate", {"seconds": str(ttls(numbers).idempotency_ttl_sec)})]
        wishes = await self._wishes()
        off = sorted(plugin for plugin, wish in wishes.plugins.items() if not wish.enabled)
        barred = sorted(Matrix(wishes.matrix).barred(asked.bot, asked.group, asked.user))
        if wishes.safe_mode:
            notes.append(Note("safe_mode", {}))
        for code, plugins in (("plugins_off", off), ("plugins_barred", barred)):
            if plugins:
                more = ", …" if len(plugins) > _NAMED else ""
                notes.append(Note(code, {"plugins": ", ".join(plugins[:_NAMED]) + more}))
        return notes

    async def _limits(self, asked: Asked) -> list[Note]:
        """Only messages count."""
        if asked.event.post_type != "message":
            return []
        limits = rate_limits(check(Kind.RATELIMIT, await self._hot.read(Kind.RATELIMIT)).numbers)
        group = asked.event.group_id if asked.event.detail_type != "private" else ""
        ids: dict[Whose, str] = {"user": asked.event.user_id, "group": group, "bot": asked.self_id}
        per_min = {whose: limits.heard(whose).of(asked.platform, ids[whose]) for whose in get_args(Whose)}
        return [
            Note(f"limit_{whose}", {"id": ids[whose], "per_min": str(most)})
            for whose, most in per_min.items()
            if most and ids[whose]
        ]

    async def _policy(self, group: str) -> GroupPolicy | None:
        kept = await self._groups.read()
        if kept is None:
            return None
        policies = GroupPolicies()
        with contextlib.suppress(BadGroupPolicies):
            policies = await asyncio.to_thread(parse, kept.document)
        return policies.groups.get(group)

    async def _answering(self, asked: Asked, policy: GroupPolicy) -> Note:
        """Who answers, as far as Redis knows; the bot that is asked about has just heard something, so it is there."""
        heard = {bot: moment for (group, bot), moment in (await self._groups.heard()).items() if group == asked.group}
        heard[asked.bot] = max(int(time.time()), *heard.values(), 0)
        online = {**await self._groups.online(sorted({*heard, *policy.bots})), asked.bot: True}
        newest = max(heard.values())

        def is_there(bot: str) -> bool:
            return online.get(bot, False) and newest - heard.get(bot, policy.since) <= BEHIND

        chosen = responsible(policy, heard, is_there)
        if policy.policy is Policy.MENTIONED:
            mentioned = {f"{asked.platform}:{name}" for name in said(asked.event.raw).mentions}
            chosen = called(asked.bot, mentioned, online, lambda bot: online.get(bot, False)) or chosen
        facts = {"group": asked.group, "policy": policy.policy.value, "bot": chosen}
        if chosen and chosen != asked.bot:
            return Note("group_other_bot", facts, stops=True)
        return Note("group_this_bot" if chosen else "group_nobody", facts)

    async def _wishes(self) -> PluginWishes:
        kept = await self._plugins.read()
        if kept is not None:
            with contextlib.suppress(BadPlugins):
                return await asyncio.to_thread(parse_plugins, kept.document)
        return PluginWishes()


def _met(asked: Asked, found: dict[int, tuple[str, Condition]]) -> list[int]:
    conditions = Conditions((number, condition) for number, (_, condition) in found.items())
    return conditions.met(asked.bot, asked.event)


def _task(number: int, name: str, condition: Condition) -> Note:
    facts = {"id": str(number), "name": name}
    if condition.cooldown:
        return Note("task_cooldown", {**facts, "cooldown": f"{condition.cooldown:g}"})
    return Note("task", facts)

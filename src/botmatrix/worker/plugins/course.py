"""The handlers of one event, plugin by plugin; nobody waits for another plugin that takes its time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from botmatrix.bus.client import ReplyError
from botmatrix.bus.envelope import ActionEntry, Envelope
from botmatrix.bus.trace_parts import Step
from botmatrix.errors import EngineUnavailable
from botmatrix.sdk.outbox import LIFETIME_MS
from botmatrix.sdk.services import Services
from botmatrix.worker.outcome import Dead, Done, Outcome, Retry
from botmatrix.worker.plugins.execution import Ended, Executor, Failure, down
from botmatrix.worker.plugins.life import Life
from botmatrix.worker.plugins.table import Match

PATIENCE = 0.1
"""Seconds after which a plugin in the worker is slow: from then on it runs beside the others."""

Ran: TypeAlias = "tuple[Match, Ended, Step]"
Ways: TypeAlias = "dict[Life, list[Match]]"


class Course:
    """Runs the handlers that take an event.

    A plugin's own handlers run one after another. Plugins in the worker do so too, by their rank, but for those that
    are slow; these, and plugins in processes of their own, run beside the others. What a plugin said while another one
    is still at work is written early: it has the ids that it would have had, so it is not said again when the event is.
    """

    def __init__(self, executor: Executor, services: Services) -> None:
        self._executor, self._services = executor, services

    async def run(self, matches: list[Match], envelope: Envelope, event: dict[str, Any]) -> Outcome:
        """What became of it. Raises `CancelledError` only.

        When a handler fails, its plugin's buffered actions are dropped and the outcome is `Dead`, with the actions of
        the other plugins.
        """
        here, failed = _here(matches)
        if not here:
            return self._outcome(failed)
        ways = _ways(here) if len(here) > 1 else {}
        beside = [life for life in ways if life.apart or life.slow] if len(ways) > 1 else []
        if beside:
            ran = await self._together(ways, beside, envelope, event)
        else:
            if here[0].bound.life.apart:
                self._services.apart(envelope.id)
            ran = await self._through(here, envelope, event)
        return self._outcome(sorted(ran + failed, key=_rank) if failed else ran)

    async def _through(self, matches: Sequence[Match], envelope: Envelope, event: dict[str, Any]) -> list[Ran]:
        """One after another, up to the first that wants to be tried again."""
        clock, ran, slow = self._services.clock, [], None
        for match in matches:
            started, life = clock.monotonic(), match.bound.life
            ended = await self._executor.run(match, envelope, event)
            seconds = clock.monotonic() - started
            if seconds > PATIENCE:
                slow, life.slow = life, True
            elif life is not slow and not isinstance(ended, Failure):
                life.slow = False
            ran.append((match, ended, _step(match, ended, seconds)))
            if isinstance(ended, Retry):
                break
        return ran

    async def _together(self, ways: Ways, beside: list[Life], envelope: Envelope, event: dict[str, Any]) -> list[Ran]:
        tasks = [asyncio.create_task(self._through(ways.pop(life), envelope, event), name="beside") for life in beside]
        try:
            ran = await self._through([match for way in ways.values() for match in way], envelope, event)
            left = set(tasks)
            if all(life.apart for life in beside):
                self._services.apart(envelope.id)
            said = ran
            while left:
                await self._early(said)
                done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
                said = [one for task in done for one in task.result()]
                ran += said
        finally:
            await _end(tasks)
        return sorted(ran, key=_rank)

    async def _early(self, ran: list[Ran]) -> None:
        """Write what was said so far, unless its plugin failed or the event will be handled again."""
        failed = {match.bound.life for match, ended, _ in ran if isinstance(ended, Failure | Retry)}
        for match, ended, _ in ran:
            if match.bound.life not in failed and isinstance(ended, list):
                await self._write(ended)

    async def _write(self, actions: list[ActionEntry]) -> None:
        while actions:
            self._expire(actions[:1])
            try:
                await self._services.post(actions[0])
            except (EngineUnavailable, ReplyError):
                return  # it leaves with the acknowledgement
            del actions[0]

    def _outcome(self, ran: list[Ran]) -> Outcome:
        steps = [step for _, _, step in ran]
        if len(ran) == 1 and type(said := ran[0][1]) is list:
            said = said.copy()
            self._expire(said)
            return Done(said, steps)
        failures: dict[str, str] = {}
        for match, ended, _ in ran:
            if isinstance(ended, Retry):
                return Retry(ended.after, ended.reason, steps)
            if isinstance(ended, Failure):
                failures.setdefault(match.bound.app.id, ended.reason)
        actions = list(_actions(ran, failures))
        self._expire(actions)
        return Dead("; ".join(failures.values()), actions, steps) if failures else Done(actions, steps)

    def _expire(self, actions: list[ActionEntry]) -> None:
        if actions:
            exp = int(self._services.clock.now() * 1000) + LIFETIME_MS
            for entry in actions:
                entry.exp = exp


def _here(matches: list[Match]) -> tuple[list[Match], list[Ran]]:
    """Those whose plugins are there, and what becomes of the others: many of them cost the event next to nothing."""
    for match in matches:
        if match.bound.life.apart:
            break
    else:
        return matches, []
    here: list[Match] = []
    failed: list[Ran] = []
    for match in matches:
        life = match.bound.life
        if life.down is not None and (why := life.down()):
            ended = down(match.bound, why)
            failed.append((match, ended, _step(match, ended, 0)))
        else:
            here.append(match)
    return here, failed


def _ways(matches: list[Match]) -> Ways:
    """The matches of each version of a plugin, in order."""
    ways: Ways = {}
    for match in matches:
        ways.setdefault(match.bound.life, []).append(match)
    return ways


def _actions(ran: list[Ran], failures: dict[str, str]) -> Iterator[ActionEntry]:
    for match, ended, _ in ran:
        if isinstance(ended, list) and match.bound.app.id not in failures:
            yield from ended


def _rank(ran: Ran) -> tuple[int, ...]:
    return ran[0].bound.rank


async def _end(tasks: list[asyncio.Task[list[Ran]]]) -> None:
    """None of them outlives the event."""
    late = [task for task in tasks if not task.done()]
    for task in late:
        task.cancel()
    if late:
        await asyncio.wait(late)


def _step(match: Match, ended: Ended, seconds: float) -> Step:
    if isinstance(ended, Retry | Failure):
        return Step(match.bound.name, round(seconds * 1000, 3), ended.reason[:200])
    return Step(match.bound.name, round(seconds * 1000, 3), "answered" if ended else "silent")

"""What alert rules look at: pure, from a picture of the matrix to what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from botmatrix.control.chat.cast import is_simulated
from botmatrix.store.tables import AlertRule

MOST: Final = 100
"""Alarms that one rule may have at a time."""


@dataclass(frozen=True, slots=True)
class OfflineBot:
    """A bot that is not here, since when, and when it was seen last (unix seconds)."""

    bot: str
    since: float
    last_seen: float


@dataclass(slots=True)
class Picture:
    """The matrix at one moment. `redis_away`: seconds for which it can't be asked; then the rest is unknown."""

    now: float
    redis_away: float = 0.0
    offline: list[OfflineBot] = field(default_factory=list)
    workers: dict[str, int] = field(default_factory=dict)
    """Pool -> workers that are alive."""
    missed: Mapping[str, float] = field(default_factory=dict)
    """Workers that were here and are not any more -> when each was seen last."""
    queued: int = 0
    dead_letters: int = 0


Wrong = dict[str, str]
"""What is wrong: subject -> words."""


def _bot_offline(rule: AlertRule, seen: Picture) -> Wrong:
    """Of any bot: only those that were here since the rule was made; nobody waits for the ones long gone, nor for one
    that was simulated in a chat window.
    """
    since = rule.created_at.timestamp()
    found = {}
    for one in seen.offline:
        counts = one.bot == rule.subject if rule.subject else one.last_seen >= since and not is_simulated(one.bot)
        if counts and seen.now - one.since > rule.threshold:
            found[one.bot] = f"{one.bot} is offline for more than {rule.threshold:g} s"
    return found


def _worker_away(rule: AlertRule, seen: Picture) -> Wrong:
    """Those that were here since the rule was made."""
    since = rule.created_at.timestamp()
    return {
        worker: f"the worker {worker} is away for more than {rule.threshold:g} s"
        for worker, at in seen.missed.items()
        if at >= int(since) and seen.now - at > rule.threshold and rule.subject in ("", worker)
    }


def _too_few_workers(rule: AlertRule, seen: Picture) -> Wrong:
    count = seen.workers.get(rule.subject, 0) if rule.subject else sum(seen.workers.values())
    where = f" in the pool {rule.subject}" if rule.subject else ""
    words = f"{count} workers are alive{where}, fewer than {rule.threshold:g}"
    return {rule.subject: words} if count < rule.threshold else {}


def _queue_depth(rule: AlertRule, seen: Picture) -> Wrong:
    words = f"{seen.queued} events wait in queues, more than {rule.threshold:g}"
    return {"": words} if seen.queued > rule.threshold else {}


def _dead_letters(rule: AlertRule, seen: Picture) -> Wrong:
    words = f"there are {seen.dead_letters} dead letters, more than {rule.threshold:g}"
    return {"": words} if seen.dead_letters > rule.threshold else {}


def _redis_away(rule: AlertRule, seen: Picture) -> Wrong:
    words = f"Redis can't be reached for more than {rule.threshold:g} s"
    return {"": words} if seen.redis_away > rule.threshold else {}


KINDS: Final[Mapping[str, Callable[[AlertRule, Picture], Wrong]]] = {
    "bot_offline": _bot_offline,
    "worker_away": _worker_away,
    "too_few_workers": _too_few_workers,
    "queue_depth": _queue_depth,
    "dead_letters": _dead_letters,
    "redis_away": _redis_away,
}


def wrong(rule: AlertRule, seen: Picture) -> Wrong | None:
    """What is wrong by this rule; None while that can't be told, and for a kind that only a newer version knows."""
    look = KINDS.get(rule.kind)
    if look is None or (seen.redis_away and rule.kind != "redis_away"):
        return None
    found = look(rule, seen)
    return dict(list(found.items())[:MOST])

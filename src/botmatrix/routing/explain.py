"""Why an event goes where it goes, in words. The same code as on the message path decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

import msgspec

from botmatrix.routing.balance import Load
from botmatrix.routing.place import Otherwise, Pools, place
from botmatrix.routing.rule import Rule
from botmatrix.routing.table import Hit, Table, route_of, why_lost

Verdict = Literal["lane", "parked", "dropped", "blocked"]


class Lost(NamedTuple):
    """A rule that matches and does not decide."""

    hit: Hit
    why: str


class Candidate(NamedTuple):
    """A worker that may be chosen. `score`: expected wait of one more event (s), lower is better."""

    lane: str
    pool: str
    score: float


class Explanation(NamedTuple):
    """`verdict`: `lane`, `parked`, `dropped` or `blocked`. `candidates`: best first; of two drawn at random the
    better one is taken. `fell_back`: the target of the rule takes no events now."""

    verdict: Verdict
    winner: Hit | None
    lost: list[Lost]
    candidates: list[Candidate]
    fell_back: bool
    why: str


def explain(
    rules: Iterable[Rule], bot: str, group: str, user: str, pools: Pools, loads: Mapping[str, Load]
) -> Explanation:
    """What becomes of an event of this bot (its self_id), group and user that is the first of its conversation."""
    rules = list(rules)
    hits = Table(rules).explain(bot, group, user)
    winner = hits[0] if hits else None
    lost = [Lost(hit, why_lost(hit, hits[0])) for hit in hits[1:]]
    asleep = [msgspec.structs.replace(rule, disabled=False) for rule in rules if rule.disabled]
    lost += [Lost(hit, "it is disabled") for hit in Table(asleep).explain(bot, group, user)]
    if winner is not None and route_of(winner.rule).blocked:
        return Explanation("blocked", winner, lost, [], False, f"the rule {winner.rule.key} blocks it")
    return _placed(winner, lost, pools, loads)


def _placed(winner: Hit | None, lost: list[Lost], pools: Pools, loads: Mapping[str, Load]) -> Explanation:
    lanes, otherwise, fell_back = place(route_of(winner.rule) if winner else None, pools)
    found = [Candidate(lane, pools.by_lane[lane], loads[lane].score) for lane in lanes]
    candidates = sorted(found, key=lambda one: (one.score, one.lane))
    verdict: Verdict = "lane" if lanes else "dropped" if otherwise is Otherwise.DROP else "parked"
    return Explanation(verdict, winner, lost, candidates, fell_back, _why(winner, verdict, fell_back))


def _why(winner: Hit | None, verdict: str, fell_back: bool) -> str:
    ends = {
        "lane": "balanced among the candidates",
        "parked": "no worker takes it now, so it waits in the parking place",
        "dropped": "the rule wants it dropped",
    }
    if winner is None:
        return f"no rule matches; default pool: {ends[verdict]}"
    rule = winner.rule
    if not fell_back:
        return f"the rule {rule.key} sends it to {rule.target}: {ends[verdict]}"
    away = f"the rule {rule.key} names {rule.target}, which takes no events now; its fallback is {rule.fallback.value}"
    return f"{away}: {ends[verdict]}"

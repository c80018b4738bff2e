"""Why an event goes where it goes, in words. The same code as on the message path decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple

import msgspec

from botmatrix.routing.balance import Load
from botmatrix.routing.place import Otherwise, Pools, place
from botmatrix.routing.rule import DEFAULT_POOL, POOL, Fallback, Rule
from botmatrix.routing.table import Hit, Route, Table, copy_route, implicit_route, route_of, why_lost

Verdict = Literal["lane", "parked", "dropped", "blocked"]
ORDER: Final[tuple[Verdict, ...]] = ("lane", "parked", "dropped")
"""Of several ways the first of these is the verdict on the whole."""


class Lost(NamedTuple):
    """A rule that matches and does not decide."""

    hit: Hit
    why: str


class Candidate(NamedTuple):
    """A worker that may be chosen. `score`: expected wait of one more event (s), lower is better."""

    lane: str
    pool: str
    score: float


class Way(NamedTuple):
    """One copy's way, or the only one. `candidates`: best first; of two drawn at random the better one is taken.

    `fell_back`: the target takes no events now.
    """

    target: str
    verdict: Verdict
    candidates: list[Candidate]
    fell_back: bool


class Explanation(NamedTuple):
    """`verdict`: `lane`, `parked`, `dropped` or `blocked`. `ways`: one, but for a rule that each of its targets gets a
    copy by; none when it is blocked."""

    verdict: Verdict
    winner: Hit | None
    lost: list[Lost]
    ways: list[Way]
    why: str


class Whose(NamedTuple):
    """The ids that rules are about (`bot`: its self_id).

    `applications`: those attached to the bot of which one is chosen; `copied`: those that get a copy whoever is chosen.
    """

    bot: str
    group: str
    user: str
    applications: Sequence[str] = ()
    copied: Sequence[str] = ()


def explain(rules: Iterable[Rule], whose: Whose, pools: Pools, loads: Mapping[str, Load]) -> Explanation:
    """What becomes of such an event that is the first of its conversation."""
    bot, group, user, applications, _ = whose
    rules = list(rules)
    hits = Table(rules).explain(bot, group, user)
    winner = hits[0] if hits else None
    lost = [Lost(hit, why_lost(hit, hits[0])) for hit in hits[1:]]
    asleep = [msgspec.structs.replace(rule, disabled=False) for rule in rules if rule.disabled]
    lost += [Lost(hit, "it is disabled") for hit in Table(asleep).explain(bot, group, user)]
    route = route_of(winner.rule) if winner is not None else None
    if route is None and applications:
        route = implicit_route(bot, applications)
    if route is not None and route.blocked:
        return Explanation("blocked", winner, lost, [], f"the rule {route.key} blocks it")
    beside = [one for one in whose.copied if one not in (route.targets if route is not None else ())]
    copies = [_way(copy_route(bot, one), pools, loads) for one in beside]
    ways = copies if copies and route is None else _ways(route, pools, loads) + copies
    verdict = next(one for one in ORDER if any(way.verdict == one for way in ways))
    return Explanation(verdict, winner, lost, ways, _why(winner, ways, applications, beside))


def by_skill(found: Explanation, whose: Whose, way: Way, why: str) -> Explanation:
    """The same where the words of the message mean a skill: copies for applications stay beside it."""
    named = route_of(found.winner.rule).targets if found.winner is not None else ()
    copies = [one for one in found.ways if one.target in whose.copied and one.target not in named]
    return found._replace(verdict="lane", ways=[way, *copies], why=why)


def _ways(route: Route | None, pools: Pools, loads: Mapping[str, Load]) -> list[Way]:
    """As the router sends copies: with `balance` to those that are there, or to somebody else when none is."""
    if route is None or not route.copies:
        return [_way(route, pools, loads)]
    ways = [_way(copy, pools, loads) for copy in route.copies]
    if route.fallback is Fallback.BALANCE and not any(way.verdict == "lane" for way in ways):
        return [_way(route, pools, loads)]
    return ways


def _way(route: Route | None, pools: Pools, loads: Mapping[str, Load]) -> Way:
    lanes, otherwise, fell_back = place(route, pools)
    found = [Candidate(lane, pools.by_lane[lane], loads[lane].score) for lane in lanes]
    verdict: Verdict = "lane" if lanes else "dropped" if otherwise is Otherwise.DROP else "parked"
    target = ",".join(route.targets) if route is not None else POOL + DEFAULT_POOL
    return Way(target, verdict, sorted(found, key=lambda one: (one.score, one.lane)), fell_back)


def _why(winner: Hit | None, ways: list[Way], attached: Sequence[str], beside: Sequence[str]) -> str:
    if beside and (attached or winner is not None):
        words = _why(winner, ways[: len(ways) - len(beside)], attached, ())
        return f"{words}; a copy goes to {', '.join(beside)}"
    if beside:
        return f"no rule matches; each application attached to the bot gets a copy: {', '.join(beside)}"
    if winner is None and attached:
        return f"no rule matches; applications attached to the bot: {_ends(ways[0], Fallback.BALANCE)}"
    if winner is None:
        return f"no rule matches; default pool: {_ends(ways[0], Fallback.BALANCE)}"
    rule = winner.rule
    said = []
    for way in ways:
        away = f", which takes no events now; the fallback is {rule.fallback.value}" if way.fell_back else ""
        said.append(f"{way.target}{away}: {_ends(way, rule.fallback)}")
    if len(ways) > 1:
        return f"the rule {rule.key} sends a copy to each of {'; '.join(said)}"
    return f"the rule {rule.key} sends it to {'; '.join(said)}"


def _ends(way: Way, fallback: Fallback) -> str:
    if way.verdict == "lane":
        return "balanced among the candidates"
    if way.verdict == "dropped":
        return "it gets none" if fallback is Fallback.BALANCE else "dropped"
    return "it waits for it" if fallback is Fallback.WAIT else "no worker takes it now, so it waits"

"""All rules, compiled: which one decides about an event.

| order | |
|---|---|
| 1 | exact keys before wildcards |
| 2 | exact: user before group before bot; for each the prefixed key (`user_1`) before the bare one (`1`) |
| 3 | wildcards: higher priority first, then user before group before bot, then more literal characters, then older |

Of what is equal even then, the key that sorts first wins, so the order is total. Disabled rules decide nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from botmatrix.routing.rule import BLOCK, DEFAULT_POOL, POOL, PREFIXES, Deliver, Fallback, Rule
from botmatrix.routing.wildcards import Wildcards

WAIT, AWAY = "wait:", "away:"
"""How the names of parking places begin: for whom somebody waits, or who was away when nobody else was there either."""
REMEMBERED = 65_536
"""Triples of (bot, group, user) whose rule is remembered."""


class Route(NamedTuple):
    """What the deciding rule says: among the workers and pools of `targets` one is chosen.

    `mark` ends the name of a conversation's part that follows the rule: it may be on another lane than the rest.
    `parking`: where what can't go now is parked, apart from what waits for others; "" where everything else is.
    `copies`: when each target gets a copy, the way of each; all together stand for what is sent when nobody is there.
    `skill`: the event's words mean this skill, which the target has.
    """

    key: str
    targets: tuple[str, ...]
    blocked: bool
    fallback: Fallback
    mark: str
    parking: str
    copies: tuple[Route, ...] = ()
    skill: str = ""

    def to(self, target: str) -> Route:
        """The way to this one of the targets, if each gets a copy; else the whole."""
        return next((copy for copy in self.copies if copy.targets == (target,)), self)


class Hit(NamedTuple):
    """A rule that matches an event: whom it was found by (`user`, `group`, `bot`) and under which text."""

    rule: Rule
    subject: str
    text: str


class Table:
    """Compiled rules. Never changes: a change makes a new table."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self.rules = {rule.key: rule for rule in rules}
        active = [rule for rule in self.rules.values() if not rule.disabled]
        self._exact = {rule.key: rule for rule in active if not rule.is_wildcard}
        self._wildcards = Wildcards(rule for rule in active if rule.is_wildcard)
        self._empty = not active
        self._known: dict[tuple[str, str, str], Route | None] = {}

    def match(self, bot: str, group: str, user: str) -> Route | None:
        """What decides about an event of this bot (its self_id), group and user; None: no rule. Ids may be empty."""
        if self._empty:
            return None
        triple = (bot, group, user)
        try:
            return self._known[triple]
        except KeyError:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            hit = next(self._hits(bot, group, user), None)
            route = self._known[triple] = hit and route_of(hit.rule)
            return route

    def explain(self, bot: str, group: str, user: str) -> list[Hit]:
        """Every rule that matches, the one that decides first, the others in the order in which they would."""
        seen: dict[str, Hit] = {}
        for hit in self._hits(bot, group, user):
            seen.setdefault(hit.rule.key, hit)
        return list(seen.values())

    def _hits(self, bot: str, group: str, user: str) -> Iterator[Hit]:
        """The one place that knows the order. An id of 0 is nobody's."""
        subjects = [
            (prefix[:-1], prefix + value, value)
            for prefix, value in zip(PREFIXES, (user, group, bot), strict=True)
            if value and value != "0"
        ]
        for subject, *texts in subjects:
            for text in texts:
                if rule := self._exact.get(text):
                    yield Hit(rule, subject, text)
        found = [
            Hit(rule, subject, text)
            for subject, prefixed, bare in subjects
            for rule, text in self._wildcards.matching(prefixed, bare)
        ]
        yield from sorted(found, key=_rank)


def route_of(rule: Rule) -> Route:
    """What a rule says, in the form that the message path reads."""
    blocked = rule.target == BLOCK
    targets = () if blocked else rule.targets
    whole = _route(rule, targets, rule.fallback)
    if rule.deliver is Deliver.ONE or len(targets) < 2:
        return whole
    # Whoever is away gets no copy then, unless it waits; only when all are away somebody else gets one.
    alone = Fallback.WAIT if rule.fallback is Fallback.WAIT else Fallback.DROP
    return whole._replace(copies=tuple(_route(rule, (target,), alone) for target in targets))


def implicit_route(self_id: str, applications: Sequence[str]) -> Route:
    """What is said of a bot to which applications are attached, below every written rule."""
    return Route(f"bot_{self_id}", tuple(applications), False, Fallback.BALANCE, "", "")


def copy_route(self_id: str, application: str) -> Route:
    """The way of a copy for an application that hears whatever is said to its bot, whoever else does."""
    return Route(f"bot_{self_id}", (application,), False, Fallback.DROP, "\t" + application, AWAY + application)


def _route(rule: Rule, targets: tuple[str, ...], fallback: Fallback) -> Route:
    # A rule for the default pool leaves its conversations whole.
    name = "" if targets == (POOL + DEFAULT_POOL,) else ",".join(targets)
    parking = (WAIT if fallback is Fallback.WAIT else AWAY) + name if name else ""
    return Route(rule.key, targets, not targets, fallback, name and "\t" + name, parking)


def why_lost(loser: Hit, winner: Hit) -> str:
    """In words, why `winner` decides and not `loser`."""
    lost, won = loser.rule, winner.rule
    if lost.is_wildcard and not won.is_wildcard:
        return "an exact key goes before a wildcard"
    if lost.is_wildcard and lost.priority != won.priority:
        return f"its priority {lost.priority} is lower than {won.priority}"
    if loser.subject != winner.subject:
        return f"a rule for the {winner.subject} goes before one for the {loser.subject}"
    if not lost.is_wildcard:
        return "a key with prefix goes before a bare one"
    if lost.literal != won.literal:
        return f"it has {lost.literal} literal characters, the other one {won.literal}"
    return "the other one is older" if lost.created != won.created else "the other one's key sorts first"


_SUBJECTS = {prefix[:-1]: place for place, prefix in enumerate(PREFIXES)}


def _rank(hit: Hit) -> tuple[int, int, int, float, str]:
    rule = hit.rule
    return (-rule.priority, _SUBJECTS[hit.subject], -rule.literal, rule.created, rule.key)

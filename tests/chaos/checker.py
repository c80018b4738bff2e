"""From what happened to a verdict.

- **lost**: a reply is owed and did not come. It is owed for an event whose link lived or was closed in order; for one
  whose link was cut as soon as any handler has started with it (then it was in a lane: confirmed). An event that was
  handled but whose action ended as UNKNOWN or EXPIRED (a nexus died between reading and sending it) is no loss: those
  are counted by the hub itself, so at most as many may be missing as the counters say. A dead letter is a loss, but
  for events whose handler always fails: those must become dead letters.
- **twice**: an event with more than one reply at its bot, one whose reply came to another bot or conversation, or one
  that was answered after another hand had settled it.
- **disorder**: an event that a handler saw for the first time after it had seen a later one of the same conversation.
  Repetitions after a crash are no disorder. Where links never changed, first replies must be in order too.
- **unconfirmed**: said on a link that was cut, never seen by a handler. Counted; at most what was unanswered then.
- **unequal**: an invariant of the counters does not hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.chaos.oracle import Fate, Oracle, Start

EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Books:
    """The hub's own counts at the end of a phase.

    `waiting` is the length of all lanes and of the parking place; `doubled`: actions that a nexus was given twice, and
    did not send again.
    """

    accepted: int
    done: int
    dead: int
    waiting: int
    unknown: int = 0
    expired: int = 0
    doubled: int = 0
    dead_numbers: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a phase may cost.

    `may_cut`: links break; `may_lose_sends`: a nexus or its engine dies with actions read; `may_double`: an engine that
    dies forgets what it had confirmed, so a nexus is given an action again.
    """

    may_cut: bool = False
    may_lose_sends: bool = False
    may_double: bool = False
    replies_in_order: bool = True
    repeats: bool = True


@dataclass(slots=True)
class Verdict:
    """Counts of one phase. `problems` says in words what must not be; empty: it passed."""

    said: int = 0
    answered: int = 0
    handled: int = 0
    repeated: int = 0
    lost: int = 0
    twice: int = 0
    disorder: int = 0
    unconfirmed: int = 0
    unknown: int = 0
    dead: int = 0
    surplus: int = 0  # settled more often than there are events: accepted twice, whatever was sent
    findings: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def count(self, sign: str) -> int:
        """One of the counts above, or what a phase looked for by itself."""
        return int(getattr(self, sign, 0)) or self.findings[sign]

    def blame(self, text: str, numbers: Iterable[int] = ()) -> None:
        some = list(numbers)[:EXAMPLES]
        self.problems.append(f"{text} (for example {some})" if some else text)


def check(oracle: Oracle, starts: list[Start], books: Books, allowance: Allowance) -> Verdict:
    """Compare what was said with what was handled, answered and counted."""
    verdict = Verdict(said=len(oracle.said), dead=books.dead)
    seen = Counter(start.number for start in starts)
    verdict.handled, verdict.repeated = len(seen), sum(1 for count in seen.values() if count > 1)
    verdict.answered = oracle.fates()[Fate.ANSWERED]
    if not verdict.answered:
        verdict.blame("nothing was answered at all: this run proves nothing")
    _check_lost(oracle, seen, books, allowance, verdict)
    _check_twice(oracle, books, allowance, verdict)
    _check_barred(oracle, seen, verdict)
    _check_order(oracle, starts, allowance, verdict)
    _check_books(oracle, seen, books, verdict)
    if not allowance.repeats and verdict.repeated:
        verdict.blame(f"{verdict.repeated} events were handled again though nobody died")
    return verdict


def _check_lost(oracle: Oracle, seen: Mapping[int, int], books: Books, allowance: Allowance, verdict: Verdict) -> None:
    spared = oracle.taken | oracle.barred | (oracle.doomed & books.dead_numbers)
    silent = [said for said in oracle.said.values() if said.fate is not Fate.ANSWERED and said.number not in spared]
    unconfirmed = [said.number for said in silent if said.fate is Fate.CUT and said.number not in seen]
    verdict.unconfirmed = len(unconfirmed)
    unsent = [said.number for said in silent if said.number in seen and said.number not in books.dead_numbers]
    unread = [said.number for said in silent if said.number not in seen and said.fate is Fate.WAITING]
    # The hub can't know either of those that came when the bot could not answer any more: these are not missing.
    known = max(0, books.unknown + books.expired - len(oracle.late))
    excused = min(len(unsent), known) if allowance.may_lose_sends else 0
    verdict.unknown = excused
    buried = [said.number for said in silent if said.number in books.dead_numbers]
    verdict.lost = len(unread) + len(unsent) - excused + len(buried)
    if verdict.lost:
        verdict.blame(
            f"{verdict.lost} lost: {len(unread)} never handled, {len(unsent)} handled without a reply "
            f"({excused} known as unknown or expired), {len(buried)} dead letters",
            [*unread, *unsent, *buried],
        )
    if unconfirmed and not allowance.may_cut:
        verdict.blame(f"{len(unconfirmed)} were said on links that broke, which none should", unconfirmed)
    elif len(unconfirmed) > oracle.in_the_air:
        verdict.blame(f"{len(unconfirmed)} unconfirmed, more than the {oracle.in_the_air} in the air")
    if oracle.cuts and not allowance.may_cut:
        verdict.blame(f"{oracle.cuts} links broke without a Close")


def _check_barred(oracle: Oracle, seen: Mapping[int, int], verdict: Verdict) -> None:
    passed = [number for number in oracle.barred if number in seen]
    if passed:
        verdict.blame(f"{len(passed)} were handled though their sender is blocked", passed)


def _check_twice(oracle: Oracle, books: Books, allowance: Allowance, verdict: Verdict) -> None:
    replies = Counter(reply.number for reply in oracle.replies)
    twice = [number for number, count in replies.items() if count > 1]
    astray = [
        reply.number
        for reply in oracle.replies
        if reply.number not in oracle.said
        or (oracle.said[reply.number].bot, oracle.said[reply.number].conversation) != (reply.bot, reply.conversation)
    ]
    after_all = [number for number in oracle.taken if number in replies]
    verdict.twice = len(twice) + len(astray) + len(after_all)
    if books.doubled and not allowance.may_double:
        verdict.blame(f"{books.doubled} actions were given to a nexus twice")
    if after_all:
        verdict.blame(f"{len(after_all)} were answered though another hand had settled them", after_all)
    if twice:
        verdict.blame(f"{len(twice)} were answered more than once", twice)
    if astray:
        verdict.blame(f"{len(astray)} replies went to the wrong bot or conversation", astray)


def _check_order(oracle: Oracle, starts: list[Start], allowance: Allowance, verdict: Verdict) -> None:
    late = inversions((start.conversation, start.number) for start in starts)
    verdict.disorder = len(late)
    if late:
        verdict.blame(f"{len(late)} were handled after a later one of their conversation", late)
    if allowance.replies_in_order:
        crossed = inversions((reply.conversation, reply.number) for reply in oracle.replies)
        verdict.disorder += len(crossed)
        if crossed:
            verdict.blame(f"{len(crossed)} replies arrived after that of a later event", crossed)


def inversions(rows: Iterable[tuple[str, int]]) -> list[int]:
    """Numbers that appear for the first time after a higher one of the same conversation."""
    highest: dict[str, int] = {}
    met: set[int] = set()
    late = []
    for conversation, number in rows:
        if number in met:
            continue
        met.add(number)
        if number < highest.get(conversation, 0):
            late.append(number)
        else:
            highest[conversation] = number
    return late


def _check_books(oracle: Oracle, seen: Mapping[int, int], books: Books, verdict: Verdict) -> None:
    if books.accepted != books.done + books.dead + books.waiting:
        verdict.blame(
            f"accepted {books.accepted} is not done {books.done} + dead {books.dead} + waiting {books.waiting}"
        )
    if books.waiting:
        verdict.blame(f"{books.waiting} entries are left in the lanes")
    ended = len(seen.keys() | books.dead_numbers | oracle.taken)
    verdict.surplus = max(0, books.done + books.dead - ended)
    if ended != books.done + books.dead:
        verdict.blame(f"{ended} events were handled or given up, done {books.done} + dead {books.dead} were counted")

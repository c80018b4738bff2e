"""`python -m bench.routing`: what 9,000 exact and 1,000 wildcard rules cost an event, beside none.

Three loads: conversations that come again (as people talk), triples of bot, group and user that were never seen, and
200 hostile patterns. Exit code 1 when the promise for the first is not held.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Sequence

from botmatrix.routing.rule import Rule, make_rule
from botmatrix.routing.table import Table

EVENTS = 300_000
PROMISE_US = 5.0
Triple = tuple[str, str, str]


def rules(rng: random.Random) -> list[Rule]:
    """9,000 exact rules and 1,000 wildcards of every form."""
    exact = [f"{rng.choice(('user_', 'group_', 'bot_', ''))}{rng.randrange(10**9)}" for _ in range(9000)]
    wild = []
    for number in range(1000):
        digits = str(rng.randrange(10**5, 10**6))
        forms = (f"user_{digits}*", f"{digits}*", f"*{digits}", f"*{digits}*", f"{digits[:3]}*{digits[3:]}")
        wild.append(forms[number % len(forms)])
    return [make_rule(key, f"w{age % 20}", created=age) for age, key in enumerate(dict.fromkeys(exact + wild))]


def hostile() -> list[Rule]:
    """200 patterns that are slow where matching goes back."""
    keys = [f"*{'1*' * (20 + number % 50)}{'*' * (number % 7)}{number}*" for number in range(200)]
    return [make_rule(key, "w1") for key in dict.fromkeys(keys)]


def talking(rng: random.Random) -> list[Triple]:
    """Events of 100 bots, 2,000 groups and 20,000 users: few talk a lot, many a little."""
    triples = [(str(10_000 + n % 100), str(rng.randrange(10**9)), str(rng.randrange(10**10))) for n in range(20_000)]
    weights = [1 / (place + 1) for place in range(len(triples))]
    return rng.choices(triples, weights, k=EVENTS)


def strangers(rng: random.Random, count: int) -> list[Triple]:
    """Events of which each has a user who was never seen."""
    return [(str(10_000 + n % 100), str(rng.randrange(10**9)), str(10**10 + n)) for n in range(count)]


def cost(table: Table, events: Sequence[Triple]) -> float:
    """Microseconds of CPU per event."""
    match = table.match
    started = time.process_time()
    for bot, group, user in events:
        match(bot, group, user)
    return (time.process_time() - started) / len(events) * 1e6


def main() -> None:
    rng = random.Random(1)
    many, none = Table(rules(rng)), Table()
    events, new = talking(rng), strangers(rng, 20_000)
    baseline = cost(none, events)
    found = cost(many, events) - baseline
    print(f"no rules:                         {baseline:6.2f} us an event")
    print(f"10,000 rules, people talking:     {found:6.2f} us more (promise: {PROMISE_US:g})")
    print(f"10,000 rules, each user is new:   {cost(many, new) - baseline:6.2f} us more")
    print(f"200 hostile patterns, all new:    {cost(Table(hostile()), new[:2000]) - baseline:6.2f} us more")
    started = time.perf_counter()
    Table(many.rules.values())
    print(f"compiling 10,000 rules:           {(time.perf_counter() - started) * 1e3:6.1f} ms")
    sys.exit(0 if found < PROMISE_US else 1)


if __name__ == "__main__":
    main()

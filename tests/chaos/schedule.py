"""The phases of the run, and the scenarios in which the planted defects must show."""

from __future__ import annotations

import random

from tests.chaos import landing, outage, reloads, strikes, uneven
from tests.chaos.checker import Allowance
from tests.chaos.oracle import Style
from tests.chaos.phases import Phase, busy

NEXUS_STOPS = Allowance(may_lose_sends=True, replies_in_order=False)
NEXUS_DIES = Allowance(may_cut=True, may_lose_sends=True, replies_in_order=False)
ENGINE_DIES = Allowance(may_lose_sends=True, may_double=True)


def early(rng: random.Random) -> Style:
    """Every handler sends first and is busy afterwards."""
    return lambda _number: f"early {rng.randint(50, 100)}"


def late(rng: random.Random) -> Style:
    """Every answer leaves with its settlement."""
    return lambda _number: f"buffered {rng.randint(20, 50)}"


def in_step(rng: random.Random) -> Style:
    """Handlers that end together, so that they are settled together."""
    return lambda _number: "buffered 30"


def failing(rng: random.Random) -> Style:
    """One handler in ten fails each time."""
    usual = busy(rng)
    return lambda number: "raise 0" if number % 10 == 0 else usual(number)


def poisonous(rng: random.Random) -> Style:
    """The three-hundredth event ends the process that handles it, each time."""
    usual = busy(rng)
    return lambda number: "poison 0" if number == 300 else usual(number)


PHASES = (
    Phase(
        "worker kill -9",
        "0 lost, 0 twice, 0 out of order",
        strikes.kill_workers,
        quick=8,
        full=200,
        events=30_000,
    ),
    Phase("worker SIGSTOP", "0 twice, the late one is fenced", strikes.freeze_workers, quick=1, full=20),
    Phase("valkey kill -9", "0 lost, recovery within 5 s, no restarts", strikes.kill_valkey, 3, 50, ENGINE_DIES),
    Phase("valkey SIGSTOP", "0 lost, 0 twice", strikes.freeze_valkey, 1, 5, ENGINE_DIES),
    Phase("valkey full", "what is there drains, 0 lost", strikes.fill_valkey, quick=1, full=5, style=late),
    Phase("replies lost", "0 lost, 0 twice", strikes.lose_replies, 1, 10, ENGINE_DIES, proxied=True),
    Phase("nexus SIGTERM", "0 accepted lost, ends within 10 s", strikes.stop_nexus, 4, 100, NEXUS_STOPS),
    Phase("nexus kill -9", "0 confirmed lost", strikes.kill_nexus, 3, 50, NEXUS_DIES),
    Phase(
        "one slow worker",
        "it gets under 15 % and is tried again, in order meanwhile",
        uneven.slow_one_down,
        quick=8,
        full=60,
        workers=3,
        conversations=300,
        rate=500,
    ),
    Phase(
        "two nexuses balanced",
        "100 bots on either: 0 accepted lost, 0 twice, REST acts on both",
        landing.land_anywhere,
        quick=2,
        full=30,
        allowance=NEXUS_DIES,
        nexuses=2,
        balanced=True,
        console=True,
        concurrency=16,
        bots=100,
        conversations=3,
        rate=400,
    ),
    Phase(
        "plugin reloads",
        "500 events/s: answered by the old version or the new, never by none or both; nothing left behind",
        reloads.reload,
        quick=6,
        full=200,
        workers=2,
        concurrency=64,
        rate=500,
    ),
    Phase(
        "postgresql kill -9",
        "0 lost, 0 delayed; REST says 503 and heals",
        outage.lose_postgres,
        quick=4,
        full=60,
        allowance=NEXUS_STOPS,
        console=True,
        rate=200,
    ),
)
"""The run itself."""

SCENARIOS = (
    Phase("calm", "nothing is handled twice", strikes.calm, 10, 60, Allowance(repeats=False), workers=2),
    Phase("worker gone", "its lane is adopted", strikes.lose_worker, quick=1, full=1),
    Phase("early sends", "0 twice", strikes.kill_workers, quick=6, full=40, style=early),
    Phase("refusing lane", "events wait for it", strikes.refuse_on_a_lane, quick=2, full=10),
    Phase(
        "another hand",
        "what it settles is not sent",
        strikes.settle_by_another_hand,
        80,
        300,
        style=in_step,
        concurrency=64,
    ),
    Phase("two nexuses", "the newest link wins", strikes.connect_twice, 1, 1, NEXUS_STOPS, nexuses=2),
    Phase("poison", "a dead letter after three deaths, nothing else", strikes.revive, 16, 30, style=poisonous),
    Phase("failing handlers", "dead letters, all of them", strikes.calm, quick=8, full=30, style=failing),
)
"""Shorter ones, for the defects that no blow of the run would show in a minute."""

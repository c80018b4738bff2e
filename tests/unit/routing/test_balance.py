"""The choice inside a pool: the better of two, no herd to a newcomer, nobody left out for good."""

from __future__ import annotations

import heapq
import random
from collections import Counter

import pytest

from botmatrix.routing.balance import FAILURES, LONGEST, SHORTEST, TRIAL, Load, pick


def pool(**ewma: float) -> dict[str, Load]:
    return {name: Load(0.0, seconds) for name, seconds in ewma.items()}


def choices(loads: dict[str, Load], count: int = 1000, now: float = 0.0) -> Counter[str]:
    rng = random.Random(3)
    return Counter(pick(list(loads), loads, rng, now) for _ in range(count))


def fail(load: Load, now: float, events: int = FAILURES) -> None:
    load.sent(events, now)
    load.settled(events, events, 0.001, now)


def test_one_that_always_loses_is_tried_now_and_then() -> None:
    assert 10 < choices(pool(slow=1.0, quick=0.1, other=0.1))["slow"] < 30


class Workers:
    """Workers with eight slots each, events that come at random, and a clock that nobody waits for."""

    def __init__(self, **service: float) -> None:
        self.service, self.now = service, 0.0
        self.loads = {name: Load(0.0) for name in service}
        self._slots = {name: [0.0] * 8 for name in service}
        self._ends: list[tuple[float, str, float]] = []
        self._rng = random.Random(5)
        self._look = 1.0

    def run(self, seconds: float, rate: float) -> dict[str, float]:
        """Each worker's share of the conversations of so many seconds, at so many a second."""
        end, got = self.now + seconds, Counter[str]()
        while self.now < end:
            self.now += self._rng.expovariate(rate)
            self._hear()
            lane = pick(list(self.loads), self.loads, self._rng, self.now)
            self._send(lane)
            got[lane] += 1
        return {name: got[name] / got.total() for name in self.service}

    def _send(self, lane: str) -> None:
        self.loads[lane].sent(1, self.now)
        start = max(self.now, heapq.heappop(self._slots[lane]))
        done = start + self.service[lane] * self._rng.uniform(0.8, 1.2)
        heapq.heappush(self._slots[lane], done)
        heapq.heappush(self._ends, (done, lane, self.now))

    def _hear(self) -> None:
        while self._ends and self._ends[0][0] <= self.now:
            at, lane, since = heapq.heappop(self._ends)
            self.loads[lane].settled(1, 0, at - since, at)
        if self.now >= self._look:
            self._look += 1.0
            mean = sum(load.ewma for load in self.loads.values()) / len(self.loads)
            for load in self.loads.values():
                load.look(load.in_flight, mean, self.now)


@pytest.mark.parametrize("rate", [20, 100, 600, 1200])
def test_of_three_the_one_ten_times_slower_gets_little_and_its_share_again_when_it_recovered(rate: float) -> None:
    workers = Workers(slow=0.1, quick=0.01, other=0.01)
    shares = workers.run(60, rate)
    assert 0.0 < shares["slow"] < 0.15
    assert min(shares["quick"], shares["other"]) > 0.4
    workers.service["slow"] = 0.01
    workers.run(45, rate)
    assert workers.run(30, rate)["slow"] > 0.2


def test_load_counts_as_much_as_speed() -> None:
    loads = pool(quick=0.1, slow=0.2)
    loads["quick"].sent(4, 0.0)
    assert choices(loads) == {"slow": 1000}


def test_a_newcomer_is_taken_for_one_of_the_pool() -> None:
    loads = pool(old=0.1, new=0.0)
    loads["new"].look(0, 0.1, 0.0)
    assert loads["new"].score == loads["old"].score
    loads["new"].sent(5, 0.0)
    assert choices(loads) == {"old": 1000}


def test_one_that_was_slow_drifts_towards_the_mean_and_is_tried_again() -> None:
    load = Load(0.0, 10.0)
    for second in range(1, 301):
        load.look(0, 0.1, float(second))
    assert load.ewma == pytest.approx(0.1, rel=0.2)


def test_one_that_says_nothing_is_as_slow_as_its_silence_is_long() -> None:
    loads = pool(dead=0.01, alive=0.1)
    loads["dead"].sent(1, 100.0)
    loads["dead"].look(1, 0.1, 130.0)
    assert loads["dead"].score == 60.0
    assert choices(loads, now=130.0) == {"alive": 1000}
    loads["dead"].settled(1, 0, 0.01, 131.0)
    assert loads["dead"].score < 0.1


def test_lost_notices_are_healed_by_the_length_of_the_lane() -> None:
    load = Load(0.0, 0.1)
    load.sent(100, 0.0)
    load.look(3, 0.1, 1.0)
    assert load.in_flight == 3


def test_one_that_only_fails_is_left_out_although_it_is_quick() -> None:
    loads = pool(broken=0.001, sound=0.1)
    fail(loads["broken"], 100.0)
    assert choices(loads, now=100.0 + SHORTEST - 0.1) == {"sound": 1000}


def test_a_failure_among_successes_opens_nothing() -> None:
    load = Load(0.0, 0.1)
    for second in range(100):
        load.sent(2, float(second))
        load.settled(2, 1, 0.1, float(second))
    assert not load.is_left_out(100.0)


def test_after_a_while_one_conversation_is_the_trial() -> None:
    loads = pool(broken=0.001, sound=0.1)
    fail(loads["broken"], 100.0)
    later = 100.0 + SHORTEST
    assert choices(loads, now=later)["broken"] == 1
    loads["broken"].sent(1, later)
    loads["broken"].settled(1, 0, 0.001, later + 1)
    assert choices(loads, now=later + 1)["broken"] > 900


def test_a_trial_that_fails_doubles_the_time_up_to_a_limit() -> None:
    load, now, spans = Load(0.0, 0.1), 0.0, []
    fail(load, now)
    for _ in range(8):
        since = now
        while load.is_left_out(now):
            now += 1.0
        spans.append(now - since)
        load.chosen(now)
        fail(load, now, events=1)
    assert spans == [SHORTEST, 10.0, 20.0, 40.0, *[LONGEST] * 4]


def test_what_was_under_way_when_the_circuit_opened_keeps_it_open_no_longer() -> None:
    load = Load(0.0, 0.1)
    fail(load, 0.0)
    fail(load, SHORTEST - 0.5)
    assert not load.is_left_out(SHORTEST)


def test_a_trial_of_which_nothing_is_heard_is_made_again() -> None:
    load = Load(0.0, 0.1)
    fail(load, 0.0)
    load.chosen(SHORTEST)
    assert load.is_left_out(SHORTEST + TRIAL - 0.1)
    assert not load.is_left_out(SHORTEST + TRIAL)


def test_when_all_fail_all_are_tried() -> None:
    loads = pool(first=0.1, second=0.1)
    for load in loads.values():
        fail(load, 0.0)
    assert set(choices(loads, now=1.0)) == {"first", "second"}

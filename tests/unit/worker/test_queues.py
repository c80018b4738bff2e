"""Serial queues: one key in order, keys in parallel, suspects alone."""

from __future__ import annotations

from collections import defaultdict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from botmatrix.bus.envelope import Envelope
from botmatrix.bus.lanes import Delivery, Lane
from botmatrix.worker.hold import Hold
from botmatrix.worker.job import Job
from botmatrix.worker.queues import SerialQueues

LANE = Lane("w1", "g1")
ENVELOPE = Envelope("0", "qq:1", "bot", "n.1", 1, 0, msgspec.Raw(b"{}"))


def hold() -> Hold:
    return Hold(LANE, {}, concurrency=64)


def job(key: str, number: int = 0, *, of: Hold | None = None, alone: bool = False) -> Job:
    owner = of or hold()
    entry_id = b"%d-0" % number
    owner.entries.add(entry_id)
    return Job(owner, Delivery(LANE, entry_id, b""), ENVELOPE, {}, key, alone=alone)


def test_the_second_job_of_a_key_starts_when_the_first_has_ended() -> None:
    queues, first, second = SerialQueues(), job("a", 1), job("a", 2)
    queues.add(first)
    queues.add(second)
    assert queues.take() is first
    assert queues.take() is None
    queues.done(first)
    assert queues.take() is second


def test_keys_do_not_wait_for_each_other() -> None:
    queues, first, other = SerialQueues(), job("a"), job("b")
    queues.add(first)
    queues.add(other)
    assert (queues.take(), queues.take()) == (first, other)
    assert queues.running == 2


def test_a_sleeping_job_keeps_its_key_and_comes_back_first() -> None:
    queues, first, second = SerialQueues(), job("a", 1), job("a", 2)
    queues.add(first)
    queues.add(second)
    queues.take()
    queues.sleep(first)
    assert queues.running == 0
    assert queues.take() is None
    assert queues.wake(first)
    assert queues.take() is first


def test_a_suspect_runs_when_nothing_else_does_and_nothing_else_starts_meanwhile() -> None:
    queues = SerialQueues()
    before, suspect, after = job("a"), job("b", alone=True), job("c")
    for each in (before, suspect, after):
        queues.add(each)
    assert queues.take() is before
    assert not queues.startable()
    assert queues.take() is None
    queues.done(before)
    assert queues.take() is suspect
    assert not queues.startable()
    assert queues.take() is None
    queues.done(suspect)
    assert queues.take() is after


def test_dropping_a_lane_leaves_what_runs_and_what_other_lanes_brought() -> None:
    queues, lost, kept = SerialQueues(), hold(), hold()
    running, waiting = job("a", 1, of=lost), job("a", 2, of=lost)
    behind, ready, other = job("a", 3, of=kept), job("b", 4, of=lost), job("b", 5, of=kept)
    for each in (running, waiting, behind, ready, other):
        queues.add(each)
    assert queues.take() is running
    assert {dropped.delivery.entry_id for dropped in queues.drop(lost)} == {b"2-0", b"4-0"}
    assert queues.take() is other
    assert queues.take() is None
    queues.done(running)
    assert queues.take() is behind
    queues.done(behind)
    queues.done(other)
    assert (lost.startable, kept.startable, queues.running) == (0, 0, 0)


def test_a_sleeping_job_of_a_lost_lane_makes_way() -> None:
    queues, lost = SerialQueues(), hold()
    sleeping, behind = job("a", 1, of=lost), job("a", 2)
    queues.add(sleeping)
    queues.add(behind)
    queues.take()
    queues.sleep(sleeping)
    lost.lose()
    assert not queues.wake(sleeping)
    assert queues.take() is behind


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans())), st.randoms())
def test_every_job_runs_once_and_each_key_in_order(plan: list[tuple[str, bool]], random: object) -> None:
    queues, owner = SerialQueues(), hold()
    jobs = [job(key, n, of=owner, alone=alone) for n, (key, alone) in enumerate(plan)]
    for each in jobs:
        queues.add(each)
    started: defaultdict[str, list[Job]] = defaultdict(list)
    running: list[Job] = []
    while True:
        while (taken := queues.take()) is not None:
            assert not any(other.alone or taken.alone or other.key == taken.key for other in running)
            running.append(taken)
            started[taken.key].append(taken)
        if not running:
            break
        ended = running.pop(random.randrange(len(running)))  # type: ignore[attr-defined]
        queues.done(ended)
    for key, ran in started.items():
        assert ran == [each for each in jobs if each.key == key]
    assert sum(map(len, started.values())) == len(jobs)
    assert owner.startable == 0


class Ear:
    """Wants jobs from a number on."""

    def __init__(self, of: Hold, after: int) -> None:
        self.hold, self._after = of, after
        self.taken: list[Job] = []
        self.lost = False

    def wants(self, job: Job) -> bool:
        return int(job.delivery.entry_id.split(b"-")[0]) > self._after

    def take(self, job: Job) -> None:
        self.taken.append(job)

    def lose(self) -> None:
        self.lost = True


def test_a_paused_job_keeps_its_key_and_makes_room() -> None:
    queues, owner = SerialQueues(), hold()
    first, second = job("a", 1, of=owner, alone=True), job("b", 2, of=owner)
    queues.add(first)
    queues.add(second)
    assert queues.take() is first
    assert queues.take() is None
    queues.pause(first)
    assert queues.take() is second
    queues.resume(first)
    assert (queues.running, owner.parked, owner.startable) == (2, 0, 2)
    for each in (first, second):
        queues.done(each)
    assert (queues.running, owner.startable, queues.startable()) == (0, 0, False)


def test_a_listener_gets_the_next_job_of_its_key_that_it_wants() -> None:
    queues, owner = SerialQueues(), hold()
    asking, early, late, other = (job(key, n, of=owner) for n, key in enumerate("aaab"))
    queues.add(asking)
    queues.add(early)
    queues.take()
    ear = Ear(owner, after=1)
    assert queues.listen("a", ear) is None
    for each in (other, late):
        queues.add(each)
    assert ear.taken == [late]
    queues.unlisten("a")
    queues.put_back(late)
    assert queues.take() is other
    queues.done(asking)
    assert queues.take() is late
    queues.done(late)
    assert queues.take() is early


def test_what_waits_already_is_given_to_the_listener_at_once() -> None:
    queues, owner = SerialQueues(), hold()
    asking, early, late = (job("a", n, of=owner) for n in range(3))
    for each in (asking, early, late):
        queues.add(each)
    queues.take()
    assert queues.listen("a", Ear(owner, after=1)) is late
    queues.done(asking)
    assert queues.take() is early


def test_one_key_has_one_listener_and_a_lost_lane_tells_it() -> None:
    queues, owner = SerialQueues(), hold()
    asking = job("a", 1, of=owner)
    queues.add(asking)
    queues.take()
    ear = Ear(owner, after=1)
    queues.listen("a", ear)
    with pytest.raises(RuntimeError, match="one question"):
        queues.listen("a", ear)
    queues.drop(hold())
    assert not ear.lost
    queues.drop(owner)
    assert ear.lost

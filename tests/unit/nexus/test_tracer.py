"""Which events are reported: so much as can be kept, blocked and failed ones first."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from botmatrix.bus.client import Client
from botmatrix.bus.envelope import ActionEntry, Envelope, encode
from botmatrix.bus.event_id import is_traced
from botmatrix.bus.keys import Keys
from botmatrix.bus.trace import MOST_BYTES, MOST_PARTS, TraceLog
from botmatrix.bus.trace_parts import Acted, Heard, Part, Repeated
from botmatrix.bus.trace_reading import read
from botmatrix.clock import ManualClock
from botmatrix.nexus.bot import Bot
from botmatrix.nexus.tracer import RESERVE, ROWS, Tracer
from botmatrix.onebot.event import Event

BOT = Bot("qq", "10001", 0.0)


class Reports(TraceLog):
    """Everything that was put, made at once."""

    def __init__(self) -> None:
        super().__init__(Client("redis://127.0.0.1:1", name="nobody"), Keys())
        self.parts: list[Part] = []

    def put(self, make: object, size: int = 0) -> None:
        assert callable(make)
        self.parts.append(read(make()))


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def tracer(reports: Reports, clock: ManualClock) -> Tracer:
    return Tracer(reports, Keys(), "n1.00000000", clock)


def said(text: str = "hello", user: int = 123) -> Event:
    raw = msgspec.json.encode(
        {"post_type": "message", "message_type": "group", "user_id": user, "group_id": 456, "message": text}
    )
    return Event("message", "group", "", "10001", str(user), "456", "1", 1, raw)


def envelope(event_id: str, event: Event) -> Envelope:
    return Envelope(event_id, BOT.key, event.conv, "n1.00000000", 1, 1_700_000_000_000, msgspec.Raw(event.raw))


def rows(parts: list[Part]) -> int:
    return sum(2 if isinstance(part, Heard) else 1 for part in parts)


def test_five_thousand_events_a_second_are_sampled_and_blocked_ones_kept(
    tracer: Tracer, reports: Reports, clock: ManualClock
) -> None:
    event, blocked_each, seconds = said(), 50, 5
    for _ in range(seconds * 100):
        now = int(clock.now() * 1000)
        for number in range(50):
            if number % 50 == 0 and blocked_each:
                tracer.stopped(BOT, event, now, "closed")
            event_id = tracer.begin(event, now)
            if is_traced(event_id):
                tracer.passed(envelope(event_id, event), "w1")
        clock.advance(0.01)
    heard = Counter(part.reason for part in reports.parts if isinstance(part, Heard))
    assert heard["closed"] == seconds * 100, "every blocked one is kept"
    assert heard[""] > 0
    assert rows(reports.parts) <= ROWS * (seconds + 1), "a bucket's worth more in the first second"
    assert tracer.counters["trace_sampled"] == seconds * 100 * 50 - heard[""], "what is left out is counted"


def test_even_blocked_events_are_bounded(tracer: Tracer, reports: Reports, clock: ManualClock) -> None:
    for _ in range(5000):
        tracer.stopped(BOT, said(), int(clock.now() * 1000), "closed")
    assert rows(reports.parts) <= ROWS
    assert tracer.counters["trace_sampled"] == 5000 - len(reports.parts)


def test_nexuses_share_the_rows(tracer: Tracer, reports: Reports, clock: ManualClock) -> None:
    tracer._share(3)
    clock.advance(10)
    for _ in range(1000):
        tracer.stopped(BOT, said(), int(clock.now() * 1000), "closed")
    assert rows(reports.parts) <= ROWS / 3


def test_a_duplicate_that_was_left_out_is_reported_whole(tracer: Tracer, reports: Reports, clock: ManualClock) -> None:
    now = int(clock.now() * 1000)
    while is_traced(event_id := tracer.begin(said(), now)):
        pass
    tracer.refused(encode(envelope(event_id, said("again"))), "duplicate")
    first, second = reports.parts
    assert isinstance(first, Heard)
    assert isinstance(second, Repeated)
    assert (first.id, first.text, second.id) == (event_id, "again", event_id)


def test_an_answer_is_reported_when_its_event_is_and_a_failed_one_always(tracer: Tracer, reports: Reports) -> None:
    def answer(event_id: str, state: str) -> None:
        params = msgspec.Raw(b'{"message_type":"group","group_id":456,"message":"hi"}')
        action = ActionEntry(BOT.key, "a1", "send_msg", params, 0, eid=event_id)
        tracer.acted(b"1700000000000-0", action, 1_700_000_000_005, (state, 0, "", b'{"message_id": 9}'))

    answer("0" * 23 + "0", "DONE")
    assert reports.parts == []
    answer("0" * 23 + "1", "DONE")
    answer("0" * 23 + "0", "FAILED")
    answer("", "DONE")
    states = [(part.state, part.conv, part.text, part.message_id) for part in reports.parts if isinstance(part, Acted)]
    assert states == [(state, "group:456", "hi", "9") for state in ("DONE", "FAILED", "DONE")]


def test_answers_to_traced_events_are_paid_for_by_later_events(tracer: Tracer, clock: ManualClock) -> None:
    action = ActionEntry(BOT.key, "a1", "send_msg", msgspec.Raw(b"{}"), 0, eid="0" * 23 + "1")
    for _ in range(ROWS):
        tracer.acted(b"1-0", action, 0, ("DONE", 0, "", b"null"))
    assert not is_traced(tracer.begin(said(), int(clock.now() * 1000)))


def test_ordinary_events_leave_the_reserve(tracer: Tracer, clock: ManualClock) -> None:
    now = int(clock.now() * 1000)
    traced = sum(is_traced(tracer.begin(said(), now)) for _ in range(ROWS))
    assert traced * 2 <= ROWS * (1 - RESERVE)


def test_a_hostile_event_is_reported_without_what_can_not_be_read(tracer: Tracer, reports: Reports) -> None:
    for raw in (b'{"user_id": {"a": 1}, "message": ["\\u0000"]}', b"[" * 10_000 + b"]" * 10_000, b'{"message":1}'):
        event = Event("message", "group", "", "10001", "1", "2", "", 0, raw)
        tracer.stopped(BOT, event, 1_700_000_000_000, "closed")
    assert [part.reason for part in reports.parts if isinstance(part, Heard)] == ["closed"] * 3


async def test_what_finds_no_room_is_counted(clock: ManualClock) -> None:
    trace_log = TraceLog(Client("redis://127.0.0.1:1", name="nobody"), Keys())
    for _ in range(MOST_PARTS + 5):
        trace_log.put(lambda: Repeated("0" * 24, 0))
    assert trace_log.counters["trace_dropped"] == 5
    other = TraceLog(Client("redis://127.0.0.1:1", name="nobody"), Keys())
    for _ in range(3):
        other.put(lambda: Repeated("0" * 24, 0), MOST_BYTES // 2)
    assert other.counters["trace_dropped"] == 1


def test_a_clock_that_is_set_back_stops_nothing(tracer: Tracer, reports: Reports, clock: ManualClock) -> None:
    for _ in range(ROWS * 2):
        tracer.stopped(BOT, said(), int(clock.now() * 1000), "closed")
    told = len(reports.parts)
    back = int((clock.now() - 7200) * 1000)
    for _ in range(3):
        back += 1000
        tracer.stopped(BOT, said(), back, "closed")
    assert len(reports.parts) > told

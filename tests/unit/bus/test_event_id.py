"""Event ids say when, and whether the event is traced."""

from __future__ import annotations

import pytest

from botmatrix.bus.event_id import EventIds, is_event_id, is_traced, second_of

NOW = 1_763_762_400_123


def test_an_id_names_its_second_and_whether_it_is_traced() -> None:
    ids = EventIds()
    traced, other = ids.next(NOW, traced=True), ids.next(NOW, traced=False)
    assert len(traced) == 24
    assert (is_traced(traced), is_traced(other)) == (True, False)
    assert second_of(traced) == NOW // 1000


def test_ids_ascend_and_never_come_twice_even_when_the_clock_goes_back() -> None:
    ids = EventIds()
    times = [NOW, NOW + 500, NOW + 2000, NOW - 60_000, NOW + 2000, NOW + 3000]
    made = [ids.next(at, traced=False) for at in times for _ in range(1000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_two_processes_never_make_the_same_id() -> None:
    one, other = EventIds(), EventIds()
    assert {one.next(NOW, traced=True) for _ in range(100)}.isdisjoint(other.next(NOW, traced=True) for _ in range(100))


def test_more_ids_than_fit_into_a_second_borrow_from_the_next() -> None:
    ids = EventIds()
    ids.next(NOW, traced=False)
    ids._count = 1 << 20
    assert second_of(ids.next(NOW, traced=False)) == NOW // 1000 + 1


@pytest.mark.parametrize("text", ["", "e1", "x" * 24, "a" * 23, "a" * 25, "A" * 24, "a" * 23 + "\n"])
def test_what_is_no_id_is_told_apart(text: str) -> None:
    assert not is_event_id(text)
    with pytest.raises(ValueError, match="not an event id"):
        second_of(text)

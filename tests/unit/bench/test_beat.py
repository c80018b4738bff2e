"""The exact timer of the benchmarks."""

from __future__ import annotations

import time

from bench.beat import beats


async def test_calls_come_in_order_and_never_before_they_are_due() -> None:
    calls: list[tuple[int, float, float]] = []
    began = time.perf_counter()
    await beats(40, 1000, lambda number, due: calls.append((number, due, time.perf_counter())))
    assert [number for number, _, _ in calls] == list(range(40))
    assert all(came >= due - 1e-6 for _, due, came in calls)
    assert calls[0][1] > began


async def test_what_a_busy_loop_is_late_for_is_called_all_the_same() -> None:
    numbers: list[int] = []

    def busy(number: int, _due: float) -> None:
        numbers.append(number)
        if number == 3:
            until = time.perf_counter() + 0.01
            while time.perf_counter() < until:
                pass

    await beats(20, 1000, busy)
    assert numbers == list(range(20))

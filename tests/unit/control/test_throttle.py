"""How long a guesser waits, and who does not."""

from __future__ import annotations

import pytest

from botmatrix.clock import ManualClock
from botmatrix.control.throttle import (
    FORGOTTEN_AFTER,
    FREE_PER_ACCOUNT,
    FREE_PER_ADDRESS,
    LONGEST_WAIT,
    Attempts,
    Counter,
    MemoryAttempts,
    Throttle,
)
from botmatrix.errors import EngineUnavailable


class Away:
    """Counts that can't be reached."""

    async def take(self, counter: Counter) -> float:
        raise EngineUnavailable("Redis", "it is away")

    async def forgive(self, counter: Counter, *, all_of_them: bool) -> None:
        raise EngineUnavailable("Redis", "it is away")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def throttle(clock: ManualClock) -> Throttle:
    """A throttle whose Redis is away: the rules are the same."""
    away: Attempts = Away()
    return Throttle(away, MemoryAttempts(clock))


async def guess(throttle: Throttle, clock: ManualClock, username: str, address: str) -> float:
    """Guess as soon as it is allowed; how long that was after the last guess."""
    waited = 0.0
    while wait := await throttle.wait(username, address):
        clock.advance(wait)
        waited += wait
    return waited


async def test_the_wait_doubles_after_the_free_attempts(throttle: Throttle, clock: ManualClock) -> None:
    waits = [await guess(throttle, clock, "admin", "203.0.113.7") for _ in range(FREE_PER_ACCOUNT + 5)]
    assert waits == [0, 0, 0, 0, 0, 0, 2, 4, 8, 16]


def test_the_wait_has_an_end() -> None:
    assert Counter("k", 5).wait_after(10_000) == LONGEST_WAIT


async def test_a_thousand_guesses_take_days(throttle: Throttle, clock: ManualClock) -> None:
    waited = sum([await guess(throttle, clock, "admin", "203.0.113.7") for _ in range(1000)])
    assert waited > 9 * 86_400


async def test_an_address_is_slowed_down_over_many_accounts(throttle: Throttle, clock: ManualClock) -> None:
    waits = [await guess(throttle, clock, f"user{n}", "203.0.113.7") for n in range(FREE_PER_ADDRESS + 3)]
    assert waits[:FREE_PER_ADDRESS] == [0] * FREE_PER_ADDRESS
    assert waits[-1] == 4


async def test_an_account_is_open_from_another_address(throttle: Throttle, clock: ManualClock) -> None:
    for _ in range(10):
        await guess(throttle, clock, "admin", "203.0.113.7")
    assert await throttle.wait("admin", "203.0.113.7") > 0
    assert await throttle.wait("admin", "198.51.100.9") == 0


@pytest.mark.parametrize(
    ("username", "address"), [("ADMIN", "2001:db8::1"), ("admin", "2001:db8::ffff:1"), ("ａdmin", "2001:db8::2")]
)
async def test_another_spelling_or_neighbour_is_the_same(
    throttle: Throttle, clock: ManualClock, username: str, address: str
) -> None:
    for _ in range(FREE_PER_ACCOUNT + 1):
        await guess(throttle, clock, "admin", "2001:db8::9")
    assert await throttle.wait(username, address) > 0
    assert await throttle.wait(username, "2001:db8:0:1::1") == 0


async def test_an_own_account_does_not_pay_for_guesses_at_others(throttle: Throttle, clock: ManualClock) -> None:
    waits = []
    for number in range(FREE_PER_ADDRESS + 3):
        waits.append(await guess(throttle, clock, f"user{number}", "203.0.113.7"))
        await guess(throttle, clock, "mine", "203.0.113.7")
        await throttle.succeeded("mine", "203.0.113.7")
    assert max(waits) > 0


async def test_what_is_long_ago_is_forgotten(throttle: Throttle, clock: ManualClock) -> None:
    for _ in range(8):
        await guess(throttle, clock, "admin", "203.0.113.7")
    clock.advance(LONGEST_WAIT + FORGOTTEN_AFTER)
    assert [await throttle.wait("admin", "203.0.113.7") for _ in range(5)] == [0.0] * 5


async def test_memory_stays_small_under_attack(clock: ManualClock) -> None:
    attempts = MemoryAttempts(clock)
    for number in range(10_050):
        await attempts.take(Counter(str(number), 1))
    await attempts.take(Counter("10049", 1))
    assert await attempts.take(Counter("10049", 1)) > 0
    assert await attempts.take(Counter("0", 0)) == 0

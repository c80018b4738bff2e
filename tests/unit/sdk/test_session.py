"""`ctx.session`, as plugins use it, on a real Valkey."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.unit.plugins.fakes import Platform, envelope, message

from botmatrix.bus.sessions import Names, StateTooLarge
from botmatrix.sdk.session import Session


@pytest.fixture
async def platform(redis_url: str) -> AsyncIterator[Platform]:
    platform = Platform(redis_url)
    yield platform
    await platform.close()


@pytest.fixture
def session(platform: Platform) -> Session:
    return of(platform, "123")


def of(platform: Platform, user: str) -> Session:
    names = Names.person(platform.sessions.keys, "qq", user)
    return Session(platform.sessions, names, envelope(message("hello")))


async def test_values_come_back_as_they_were(session: Session) -> None:
    value: object = {"名": [1, 2.5, None, True, {"a": []}]}
    await session.set("v", value)
    assert await session.get("v") == value
    assert await session.all() == {"v": value}


async def test_a_missing_value_is_the_default(session: Session) -> None:
    assert await session.get("v") is None
    assert await session.get("v", 7) == 7


async def test_people_have_sessions_of_their_own_and_share_that_of_the_place(platform: Platform) -> None:
    alice, bob = of(platform, "123"), of(platform, "124")
    await alice.set("v", 1)
    await alice.conversation.set("w", 2)
    assert (await bob.get("v"), await bob.conversation.get("w")) == (None, 2)
    assert await alice.conversation.get("v") is None


async def test_updates_at_once_all_count(session: Session) -> None:
    results = await asyncio.gather(*(session.update("n", lambda n: n + 1, default=0) for _ in range(20)))
    assert sorted(results) == list(range(1, 21))


async def test_an_update_that_raises_changes_nothing(session: Session) -> None:
    await session.set("n", 1)
    with pytest.raises(ZeroDivisionError):
        await session.update("n", lambda n: n / 0)
    assert await session.get("n") == 1


async def test_a_value_ends_with_its_time(session: Session, platform: Platform) -> None:
    await session.set("v", 1, ttl=5)
    platform.clock.advance(4)
    assert await session.get("v") == 1
    platform.clock.advance(1)
    assert await session.get("v") is None


async def test_delete_takes_some_and_clear_takes_all(session: Session) -> None:
    for name in "abc":
        await session.set(name, name)
    await session.delete("a", "none")
    assert set(await session.all()) == {"b", "c"}
    await session.clear()
    assert await session.all() == {}


@pytest.mark.parametrize(("name", "ttl"), [("", None), ("expires_at", None), ("a", 0), ("a", -1)])
async def test_a_name_or_a_time_that_is_none_is_refused(session: Session, name: str, ttl: float | None) -> None:
    with pytest.raises(ValueError, match=r"can't be the name|above 0"):
        await session.set(name, 1, ttl=ttl)


async def test_what_is_too_large_is_refused(session: Session) -> None:
    with pytest.raises(StateTooLarge):
        await session.set("v", "x" * 70_000)

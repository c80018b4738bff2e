"""Password hashes, and that making them never holds up the event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Literal

import pytest
from argon2 import PasswordHasher
from tests.hashing import Gated

from botmatrix.store.passwords import AT_ONCE, MOST_WAITING, Passwords, PasswordsBusy


class Watched(PasswordHasher):
    """Counts who hashes at the same time, and where."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.running = self.most = 0
        self.threads: set[int] = set()
        self.lock = threading.Lock()

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
            self.threads.add(threading.get_ident())
        time.sleep(0.02)
        with self.lock:
            self.running -= 1
        return super().verify(hash, password)


async def test_a_hash_fits_its_password_only() -> None:
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    hashed = await passwords.hash("correct horse")
    assert hashed.startswith("$argon2id$")
    assert await passwords.matches(hashed, "correct horse")
    assert not await passwords.matches(hashed, "Correct horse")
    assert not await passwords.matches("not a hash", "correct horse")
    assert await passwords.hash("correct horse") != hashed


async def test_at_most_two_hash_at_once_and_none_on_the_loop() -> None:
    hasher = Watched()
    passwords = Passwords(hasher)
    hashed = await passwords.hash("correct horse")
    await asyncio.gather(*(passwords.matches(hashed, "wrong") for _ in range(8)))
    assert hasher.most == AT_ONCE
    assert threading.get_ident() not in hasher.threads


async def test_an_unknown_user_costs_as_much_as_a_known_one() -> None:
    hasher = Watched()
    passwords = Passwords(hasher)
    assert not await passwords.matches(None, "anything")
    assert not await passwords.matches(None, "anything")
    assert len(hasher.threads) >= 1
    assert hasher.most == 1


async def test_who_finds_the_queue_full_is_refused_at_once() -> None:
    hasher = Gated()
    passwords = Passwords(hasher)
    hashed = await passwords.hash("correct horse")
    waiting = [asyncio.create_task(passwords.matches(hashed, "wrong")) for _ in range(AT_ONCE + MOST_WAITING)]
    await asyncio.sleep(0)  # each takes its place
    with pytest.raises(PasswordsBusy):
        await passwords.matches(hashed, "correct horse")
    hasher.gate.set()
    assert not any(await asyncio.gather(*waiting))
    assert await passwords.matches(hashed, "correct horse")


async def test_who_gives_up_waiting_leaves_the_place_to_another() -> None:
    hasher = Gated()
    passwords = Passwords(hasher)
    hashed = await passwords.hash("correct horse")
    waiting = [asyncio.create_task(passwords.matches(hashed, "wrong")) for _ in range(AT_ONCE + MOST_WAITING)]
    await asyncio.sleep(0)  # each takes its place
    gone = waiting.pop()
    gone.cancel()
    await asyncio.wait([gone])
    another = asyncio.create_task(passwords.matches(hashed, "correct horse"))
    hasher.gate.set()
    assert await another
    assert not any(await asyncio.gather(*waiting))

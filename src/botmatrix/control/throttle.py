"""Slows down whoever guesses passwords: per account and address, and per address.

The first attempts are free; after them each attempt starts a wait that doubles. The counts live in Redis, so
that they hold across processes and restarts; while Redis is away, in this process's memory. An account is
never locked as such: its owner, coming from another address, is not slowed down by somebody else's guessing.
"""

from __future__ import annotations

import hashlib
import ipaddress
from typing import Any, Final, NamedTuple, Protocol

from botmatrix.clock import Clock
from botmatrix.errors import EngineUnavailable
from botmatrix.store.text import username_key

FREE_PER_ACCOUNT: Final = 5
FREE_PER_ADDRESS: Final = 50
LONGEST_WAIT: Final = 900
"""Seconds."""
FORGOTTEN_AFTER: Final = 3600
"""Seconds without an attempt."""
_REMEMBERED: Final = 10_000
"""Keys in memory at most: while Redis is away, an attack must not fill it."""


class Commands(Protocol):
    """The one thing needed of a Redis client."""

    async def call(self, *args: bytes | str | int) -> Any: ...


class Counter(NamedTuple):
    """What is counted under one name, and how many attempts are free."""

    key: str
    free: int

    def wait_after(self, attempts: int) -> int:
        """Seconds to wait after this many attempts."""
        over = attempts - self.free
        return 0 if over <= 0 else min(2 ** min(over, 20), LONGEST_WAIT)


class Attempts(Protocol):
    """Where attempts are counted."""

    async def take(self, counter: Counter) -> float:
        """Count one attempt: 0 when it may be made, else the seconds to wait (then it was not counted)."""
        ...

    async def forgive(self, counter: Counter, *, all_of_them: bool) -> None:
        """Take back one attempt or all of them."""
        ...


class RedisAttempts:
    """Counts in Redis. Raises `EngineUnavailable`."""

    def __init__(self, client: Commands, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    async def take(self, counter: Counter) -> float:
        count, wait = self._keys(counter)
        left = await self._left(wait)
        if left:
            return left
        attempts = int(await self._client.call("INCR", count))
        await self._client.call("EXPIRE", count, FORGOTTEN_AFTER)
        delay = counter.wait_after(attempts)
        # NX lets one attempt through per wait, however many come at once.
        if not delay or await self._client.call("SET", wait, 1, "NX", "PX", delay * 1000):
            return 0.0
        await self._client.call("DECR", count)
        return await self._left(wait) or 0.001

    async def forgive(self, counter: Counter, *, all_of_them: bool) -> None:
        count, wait = self._keys(counter)
        if all_of_them:
            await self._client.call("DEL", count, wait)
        elif int(await self._client.call("DECR", count)) <= 0:
            await self._client.call("DEL", count)

    async def _left(self, wait: str) -> float:
        return max(0.0, int(await self._client.call("PTTL", wait)) / 1000)

    def _keys(self, counter: Counter) -> tuple[str, str]:
        name = f"{self._prefix}{counter.key}"
        return name, name + ":wait"


class MemoryAttempts:
    """Counts of this process alone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[int, float]] = {}

    async def take(self, counter: Counter) -> float:
        now = self._clock.monotonic()
        attempts, until = self._seen.pop(counter.key, (0, 0.0))
        if until > now:
            self._seen[counter.key] = (attempts, until)
            return until - now
        if attempts and now - until > FORGOTTEN_AFTER:
            attempts = 0
        self._seen[counter.key] = (attempts + 1, now + counter.wait_after(attempts + 1))
        if len(self._seen) > _REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return 0.0

    async def forgive(self, counter: Counter, *, all_of_them: bool) -> None:
        attempts, until = self._seen.pop(counter.key, (0, 0.0))
        if attempts > 1 and not all_of_them:
            self._seen[counter.key] = (attempts - 1, until)


class Throttle:
    """What a login asks before it looks at a password, and tells when the password was right."""

    def __init__(self, shared: Attempts, own: Attempts) -> None:
        self._shared = shared
        self._own = own

    async def wait(self, username: str, address: str) -> float:
        """Count one attempt: 0 when it may be made, else the seconds to wait."""
        for counter in _counters(username, address):
            try:
                wait = await self._shared.take(counter)
            except EngineUnavailable:
                wait = await self._own.take(counter)
            if wait:
                return wait
        return 0.0

    async def succeeded(self, username: str, address: str) -> None:
        """The password was right: the account's count starts anew, the address loses this attempt only."""
        await self._forgive(username, address, account_anew=True)

    async def not_looked_at(self, username: str, address: str) -> None:
        """The password was neither right nor wrong: the attempt does not count."""
        await self._forgive(username, address, account_anew=False)

    async def _forgive(self, username: str, address: str, *, account_anew: bool) -> None:
        account, whole_address = _counters(username, address)
        for attempts in (self._own, self._shared):
            try:
                await attempts.forgive(account, all_of_them=account_anew)
                await attempts.forgive(whole_address, all_of_them=False)
            except EngineUnavailable:
                continue


def _counters(username: str, address: str) -> tuple[Counter, Counter]:
    network = _network(address)
    pair = f"{username_key(username)}\0{network}".encode(errors="surrogatepass")
    return (
        Counter(hashlib.sha256(pair).hexdigest()[:32], FREE_PER_ACCOUNT),
        Counter(hashlib.sha256(network.encode()).hexdigest()[:32], FREE_PER_ADDRESS),
    )


def _network(address: str) -> str:
    """The address; of IPv6 the /64, which one customer has whole."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)

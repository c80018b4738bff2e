"""One-time codes that bind somebody in a chat to a user of the console: offered by control, tried by every nexus.

Redis knows digests of codes only. A code that was said becomes a claim, which control makes a binding of.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Final, NamedTuple

from botmatrix.bus.client import Client
from botmatrix.bus.keys import Keys
from botmatrix.bus.scripts import BIND, OFFER

LIFETIME: Final = 600
"""Seconds for which a code is valid."""
TRIES: Final = 5
"""So many wrong codes, whoever says them, and it is void."""
_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_HALF: Final = 5
_LONGEST: Final = 64


class Tried(NamedTuple):
    """What became of a code. `left`: wrong ones that may still be said; -1: there was no code to be right."""

    bound: bool
    left: int


def new_code() -> str:
    """Ten letters and digits that can't be mistaken for others, 50 random bits: `ABCDE-FGH23`."""
    first, second = ("".join(secrets.choice(_LETTERS) for _ in range(_HALF)) for _ in range(2))
    return f"{first}-{second}"


def digest_of(code: str) -> str:
    """What Redis holds of a code; case, blanks and dashes count for nothing."""
    plain = "".join(letter for letter in code[:_LONGEST] if letter.isalnum()).upper()
    return hashlib.sha256(plain.encode(errors="surrogatepass")).hexdigest()


class BindBox:
    """Codes and claims, over a connection of its owner's. Every method raises `EngineUnavailable`, `ReplyError`."""

    def __init__(self, client: Client, keys: Keys) -> None:
        self._client, self._keys = client, keys

    async def offer(self, user_id: int) -> str:
        """A new code of a user; the one before is void."""
        code = new_code()
        arguments = (digest_of(code), user_id, LIFETIME * 1000, self._keys.bind_changed)
        await self._client.run(OFFER, [self._keys.bind_codes], *arguments)
        return code

    async def outstanding(self) -> float:
        """For how many seconds yet there may be a code that is valid; 0 when there is none."""
        return max(0, int(await self._client.call("PTTL", self._keys.bind_codes))) / 1000

    async def say(self, code: str, identity: str) -> Tried:
        """Somebody (`platform:user_id`) said a code: the right one works once."""
        k = self._keys
        found = await self._client.run(
            BIND, [k.bind_codes, k.bind_claims], digest_of(code), identity, TRIES, k.bind_changed
        )
        return Tried(found[0] == 1, int(found[1]) if found[0] == 0 else 0)

    async def claims(self) -> Mapping[str, int]:
        """Who said a right code, and the id of the user whose it was; 0 for what can be no claim."""
        flat = await self._client.call("HGETALL", self._keys.bind_claims)
        words = [part.decode(errors="replace") for part in flat]
        return {who: _user(who, user) for who, user in zip(words[::2], words[1::2], strict=True)}

    async def settle(self, identity: str) -> None:
        """The claim of somebody is dealt with."""
        await self._client.call("HDEL", self._keys.bind_claims, identity)


def _user(who: str, user: str) -> int:
    return int(user) if user.isdecimal() and len(user) <= 18 and who.isprintable() else 0

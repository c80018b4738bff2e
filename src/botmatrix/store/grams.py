"""Search for any part of a text by an index that every PostgreSQL has: the pairs of letters in it.

`pg_trgm` would need three letters where Chinese words have two, knows nothing but ASCII in a database of the locale
C, and can't be had everywhere.
"""

from __future__ import annotations

from zlib import crc32


def grams(text: str) -> list[int]:
    """A number (32 bits, signed) for each pair of neighbouring letters, and for each letter that is not ASCII.

    Whatever contains a text has all its numbers. Case counts for nothing.
    """
    folded = text.casefold()
    pairs = {folded[at : at + 2] for at in range(len(folded) - 1)}
    return sorted(_number(one) for one in pairs | {letter for letter in set(folded) if not letter.isascii()})


def _number(letters: str) -> int:
    found = crc32(letters.encode(errors="replace"))
    return found - (1 << 32) if found >= 1 << 31 else found

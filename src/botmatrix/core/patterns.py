"""Regular expressions in linear time, whoever wrote them: RE2, bounded in size."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import re2

LARGEST: Final = 500
"""Instructions of a compiled expression: 4 kB of text then take under 5 ms at worst, usually some microseconds."""


LARGEST_SUM: Final = 10_000
"""Instructions of all expressions of one list."""


class BadPattern(ValueError):
    """An expression that RE2 does not take, or that is too large; says why."""


def compiled(pattern: str) -> re2._Regexp:
    """The expression, for UTF-8, without regard to case. Raises `BadPattern`."""
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.never_nl = True  # a match stays in one line: addresses are searched joined by line breaks
    try:
        expression = re2.compile(b"(?m)" + pattern.encode(), options)
    except UnicodeEncodeError:
        raise BadPattern("has characters that are no text") from None
    except re2.error as error:
        raise BadPattern(f"{_reason(error)} (lookaround and back-references are not possible)") from None
    if expression.programsize > LARGEST:
        raise BadPattern("is too large: repeat less, or split it")
    if expression.search(b"") is not None:
        raise BadPattern("matches the empty text, so it would match everything")
    return expression


def _reason(error: Exception) -> str:
    words = error.args[0] if error.args else "can't be read"
    return words.decode(errors="replace") if isinstance(words, bytes) else str(words)


def check(patterns: Iterable[str]) -> None:
    """Raises `BadPattern` when the expressions together are too large."""
    if sum(compiled(pattern).programsize for pattern in patterns) > LARGEST_SUM:
        raise BadPattern("the expressions of this list are too large together")


class Patterns:
    """Any of some expressions."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._searches = [compiled(pattern).search for pattern in patterns]

    def __bool__(self) -> bool:
        return bool(self._searches)

    def found(self, text: str) -> bool:
        """Whether one of them is found in `text`."""
        encoded = text.encode(errors="replace")
        return any(search(encoded) is not None for search in self._searches)

"""How the road of an event ended, as far as is known."""

from __future__ import annotations

from enum import IntEnum


class Outcome(IntEnum):
    """The higher says more: what is learnt later never makes it lower. The numbers are in the table `traces`."""

    UNDER_WAY = 0
    SILENT = 1
    ANSWERED = 2
    DUPLICATE = 3
    BLOCKED = 4
    FAILED = 5

    @property
    def word(self) -> str:
        """As REST has it: `under_way`."""
        return self.name.lower()


WORDS = tuple(outcome.word for outcome in Outcome)


def outcome_of(word: str) -> Outcome:
    """The outcome of this name. Raises `KeyError`."""
    return Outcome[word.upper()]

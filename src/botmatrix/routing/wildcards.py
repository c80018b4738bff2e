"""Which of many wildcard rules match a text, without trying them all.

A pattern is filed under its literal beginning, else under its literal end; only those that have neither (`*mid*`) are
tried one after another. Matching one pattern is linear in the text whatever the pattern: each literal piece is looked
for once, behind the one before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from botmatrix.routing.rule import Rule


class Pattern:
    """A wildcard key, cut at its stars."""

    __slots__ = ("_begin", "_end", "_least", "_middle", "rule")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._begin, *middle, self._end = rule.key.split("*")
        self._middle = [piece for piece in middle if piece]
        self._least = rule.literal

    @property
    def begin(self) -> str:
        """What a text must begin with."""
        return self._begin

    @property
    def end(self) -> str:
        """What a text must end with."""
        return self._end

    def matches(self, text: str) -> bool:
        """Whether the whole text fits."""
        if len(text) < self._least or not (text.startswith(self._begin) and text.endswith(self._end)):
            return False
        at, stop = len(self._begin), len(text) - len(self._end)
        for piece in self._middle:
            found = text.find(piece, at, stop)
            if found < 0:
                return False
            at = found + len(piece)
        return True


class Wildcards:
    """All wildcard rules of a table."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._begins: dict[str, list[Pattern]] = {}
        self._ends: dict[str, list[Pattern]] = {}
        self._floating: list[Pattern] = []
        for pattern in map(Pattern, rules):
            if pattern.begin:
                self._begins.setdefault(pattern.begin, []).append(pattern)
            elif pattern.end:
                self._ends.setdefault(pattern.end, []).append(pattern)
            else:
                self._floating.append(pattern)
        self._begin_lengths = sorted({len(begin) for begin in self._begins})
        self._end_lengths = sorted({len(end) for end in self._ends})

    def matching(self, text: str) -> Iterator[Rule]:
        """The rules whose patterns match, in no order."""
        for length in self._begin_lengths:
            for pattern in self._begins.get(text[:length], ()):
                if pattern.matches(text):
                    yield pattern.rule
        for length in self._end_lengths:
            for pattern in self._ends.get(text[-length:], ()):
                if pattern.matches(text):
                    yield pattern.rule
        for pattern in self._floating:
            if pattern.matches(text):
                yield pattern.rule

"""Which of many wildcard rules match a text, without trying them all.

A pattern is filed under its literal beginning, else under its literal end, else (`*mid*`) under the first characters of
its longest piece; a text is looked up under all of its own. Matching one pattern is linear in the text whatever the
pattern: each literal piece is looked for once, behind the one before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from botmatrix.routing.rule import Rule

GRAM = 4


class Pattern:
    """A wildcard key, cut at its stars."""

    __slots__ = ("_begin", "_end", "_least", "_middle", "rule")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._begin, *middle, self._end = rule.key.split("*")
        self._middle = [piece for piece in middle if piece]
        self._least = rule.literal

    @property
    def gram(self) -> str:
        """Up to four characters that a text must contain; the longest piece has the rarest."""
        return max(self._middle, key=len, default="")[:GRAM]

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
        self._grams: dict[str, list[Pattern]] = {}
        for pattern in map(Pattern, rules):
            if pattern.begin:
                self._begins.setdefault(pattern.begin, []).append(pattern)
            elif pattern.end:
                self._ends.setdefault(pattern.end, []).append(pattern)
            else:
                self._grams.setdefault(pattern.gram, []).append(pattern)
        self._begin_lengths = sorted({len(begin) for begin in self._begins})
        self._end_lengths = sorted({len(end) for end in self._ends})
        self._gram_lengths = sorted({len(gram) for gram in self._grams} - {0})

    def matching(self, prefixed: str, bare: str) -> Iterator[tuple[Rule, str]]:
        """The rules whose patterns match an id, with the text they match, in no order.

        `prefixed` ends with `bare`, so a pattern that begins with a star and matches the bare text matches both.
        """
        for text in (prefixed, bare):
            yield from self._beginning(text)
        for length in self._end_lengths:
            for pattern in self._ends.get(prefixed[-length:], ()):
                if pattern.matches(prefixed):
                    yield pattern.rule, prefixed
        yield from self._containing(prefixed)

    def _beginning(self, text: str) -> Iterator[tuple[Rule, str]]:
        for length in self._begin_lengths:
            for pattern in self._begins.get(text[:length], ()):
                if pattern.matches(text):
                    yield pattern.rule, text

    def _containing(self, text: str) -> Iterator[tuple[Rule, str]]:
        if not self._grams:
            return
        grams = {""}
        for length in self._gram_lengths:
            grams.update([text[at : at + length] for at in range(len(text) - length + 1)])
        for gram in grams & self._grams.keys():
            for pattern in self._grams[gram]:
                if pattern.matches(text):
                    yield pattern.rule, text

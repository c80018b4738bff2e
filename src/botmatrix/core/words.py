"""Sensitive words: any number of plain ones in one pass, and expressions."""

from __future__ import annotations

from collections.abc import Iterable

import ahocorasick

from botmatrix.core.normal import normal
from botmatrix.core.patterns import Patterns

WORD = "sensitive_word_detected"
PATTERN = "sensitive_word_regex_detected"


class Words:
    """The words of one level, compiled. Texts given to it are in normal form."""

    def __init__(self, plain: Iterable[str], regex: Iterable[str]) -> None:
        self._plain = ahocorasick.Automaton(ahocorasick.STORE_LENGTH)
        for word in plain:
            self._plain.add_word(normal(word))
        if len(self._plain):
            self._plain.make_automaton()
        self._patterns = Patterns(regex)

    def __bool__(self) -> bool:
        return bool(len(self._plain) or self._patterns)

    def reason(self, text: str) -> str:
        """Why this text is to be blocked; empty when it is not."""
        if len(self._plain) and next(self._plain.iter(text), None) is not None:
            return WORD
        return PATTERN if self._patterns and self._patterns.found(text) else ""

"""One form for every spelling of a text, so that a filter sees what a reader sees."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from typing import Final

_UNSEEN: Final = re.compile(
    "["
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000110bd\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
    "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
    "\x00-\x08\x0e-\x1f\x7f-\x9f"
    "]+"
)
"""Characters without a width of their own: format characters, fillers, selectors, marks that strike through."""
_ASCII_CONTROLS: Final = re.compile("[\x00-\x08\x0e-\x1f\x7f]+")

_STEP: Final = 32
_SHORT: Final = 512
_MARKS: Final = "".join(chr(code) for code in range(0x300, 0x1F000) if unicodedata.combining(chr(code)))
_PILE: Final = re.compile(f"([{_MARKS}]{{8}})[{_MARKS}]+")


def _unpiled(text: str) -> str:
    """The text without marks piled on one letter: to put n of them in order would take n * n steps.

    Piles that no sample of every 32nd letter meets twice are too low to matter.
    """
    if len(text) < _SHORT:
        return text
    samples = [unicodedata.combining(letter) for letter in text[::_STEP]]
    if any(one and another for one, another in pairwise(samples)):
        return _PILE.sub(r"\1", text)
    return text


def normal(text: str) -> str:
    """NFKC, without case and without what has no width. Full-width, circled and styled letters become plain."""
    if text.isascii():
        text = text.lower()
        return text if text.isprintable() else _ASCII_CONTROLS.sub("", text)
    folded = unicodedata.normalize("NFKC", _unpiled(text)).casefold()
    return unicodedata.normalize("NFKC", _UNSEEN.sub("", unicodedata.normalize("NFKC", folded)))

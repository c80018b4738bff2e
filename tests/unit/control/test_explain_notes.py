"""The console says every line of an explanation, in each of its languages."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from botmatrix.control import explain_notes
from botmatrix.control.explain_notes import WORDS

LANGUAGES = Path(explain_notes.__file__).with_name("web") / "lang"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_line_has_words_with_the_same_facts(language: str) -> None:
    known = json.loads((LANGUAGES / f"{language}.json").read_text("utf-8"))
    said = {code.removeprefix("explain."): text for code, text in known.items() if code.startswith("explain.")}
    assert {code: _facts(text) for code, text in said.items()} == {code: _facts(text) for code, text in WORDS.items()}


def _facts(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))

"""What the console says in Chinese of the server's English: each sentence is one that the server still says."""

from __future__ import annotations

import ast
import json
import re
from functools import cache

from botmatrix.control.pages import WEB

SENTENCES: dict[str, str] = json.loads((WEB / "lang" / "server.zh.json").read_text("utf-8"))
SLOT = re.compile(r"\{(\w+)\}")


@cache
def said() -> frozenset[str]:
    """Every text of the sources; `{}` for what is filled in."""
    sources = sorted(WEB.parents[1].rglob("*.py"))
    nodes = (node for one in sources for node in ast.walk(ast.parse(one.read_text("utf-8"))))
    return frozenset(text for node in nodes if (text := _text(node)))


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "{}" for part in node.values)
    return ""


def test_each_sentence_is_still_said() -> None:
    wanted = {sentence: SLOT.sub("{}", sentence) for sentence in SENTENCES}
    gone = {sentence for sentence, plain in wanted.items() if {plain, plain.removesuffix("{}")}.isdisjoint(said())}
    assert gone == set()


def test_a_translation_has_the_slots_of_its_sentence() -> None:
    slots = {sentence: (set(SLOT.findall(sentence)), set(SLOT.findall(words))) for sentence, words in SENTENCES.items()}
    assert {sentence for sentence, (given, used) in slots.items() if given != used} == set()

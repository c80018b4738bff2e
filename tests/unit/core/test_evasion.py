"""Every way around the word filter that is known, and honest texts that it must leave alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.saying import event, text

from botmatrix.core.config import CoreConfig
from botmatrix.core.judge import Judge
from botmatrix.core.normal import normal

JUDGE = Judge(CoreConfig.model_validate({"sensitive_words": {"system": {"plain": ["badword", "敏感词", "Straße"]}}}))
CARD = json.dumps({"app": "x", "meta": {"list": [{"title": "敏感词"}]}})
EVASIONS: list[Any] = [
    "badword",
    "BADWORD",
    "BaDwOrD",
    "ｂａｄｗｏｒｄ",
    "ＢＡＤｗｏｒｄ",
    "ⓑⓐⓓⓦⓞⓡⓓ",
    "𝐛𝐚𝐝𝐰𝐨𝐫𝐝",
    "𝕓𝕒𝕕𝕨𝕠𝕣𝕕",
    "ᵇᵃᵈʷᵒʳᵈ",
    "bad\u200bword",
    "bad\u200c\u200dword",
    "bad\u2060word",
    "bad\ufeffword",
    "bad\u00adword",
    "bad\u034fword",
    "bad\ufe0fword",
    "bad\u3164word",
    "bad\u202eword",
    "b\u0336a\u0336d\u0336word",
    "bad\x00word",
    "敏\u200b感\u200b词",
    "敏\u115f感\uffa0词",
    "敏\U000e0041感词",
    "STRASSE",
    "straße",
    "敏[CQ:face,id=1]感词",
    "敏[CQ:at,qq=5]感[CQ:image,file=a.png]词",
    "[CQ:share,url=http://a.example,title=敏感词]",
    "[CQ:markdown,content=say 敏感词]",
    text("敏", "感", "词"),
    [*text("bad"), {"type": "face", "data": {"id": "1"}}, *text("word")],
    [*text("敏\u200b"), {"type": "image", "data": {"file": "x"}}, *text("感"), {"type": "at", "data": {}}, *text("词")],
    [{"type": "share", "data": {"title": "ＢＡＤword"}}],
    [{"type": "json", "data": {"data": CARD}}],
    [{"type": "json", "data": {"data": json.dumps({"inner": CARD})}}],
    [{"type": "node", "data": {"content": text("x badword")}}],
    {"type": "text", "data": {"text": "badword"}},
    ["bad", "word"],
]
HONEST: list[Any] = [
    "bad word",
    "敏 感的词",
    "ba dword",
    "",
    "[CQ:image,file=badword.png]",
    "[CQ:at,qq=badword]",
    [*text("bad "), {"type": "face", "data": {"id": "1"}}, *text("word")],
    [*text("bad"), {"type": "share", "data": {"title": "word"}}],
]


@pytest.mark.parametrize("message", EVASIONS)
def test_an_evasion_is_seen_through(message: Any) -> None:
    assert JUDGE.reason("qq", "1", event(message)) == "sensitive_word_detected"


@pytest.mark.parametrize("message", HONEST)
def test_an_honest_text_passes(message: Any) -> None:
    assert JUDGE.reason("qq", "1", event(message)) == ""


UNSEEN = st.text(alphabet="\u200b\u200c\u200d\u2060\ufeff\u00ad\ufe0f\U000e0041\u034f", max_size=3)


@given(st.lists(UNSEEN, min_size=8, max_size=8), st.text(), st.text())
def test_nothing_unseen_between_the_letters_hides_a_word(gaps: list[str], before: str, after: str) -> None:
    word = "".join(gap + letter for gap, letter in zip(gaps, "badword ", strict=True))
    assert JUDGE.reason("qq", "1", event(text(before, word, after))) != ""


@given(st.text())
def test_the_normal_form_of_a_normal_form_is_itself(said: str) -> None:
    once = normal(said)
    assert normal(once) == once


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["type", "data", "text", "url"]), inner),
    )
)
def test_no_message_makes_the_judge_fail(message: Any) -> None:
    assert JUDGE.reason("qq", "1", event(message)) in ("", "sensitive_word_detected")

"""CQ strings: exact both ways, linear whatever they hold."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botmatrix.onebot import cq
from botmatrix.onebot.message import At, Message, Raw, Segment, Text

ORACLE = Path(__file__).resolve().parents[4] / "shared/kit/oracle/cq.jsonl"


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "data": {"text": value}}


def code(kind: str, **data: str) -> dict[str, Any]:
    return {"type": kind, "data": data}


CASES: list[tuple[str, list[dict[str, Any]], str | None]] = [
    # the string, its segments, and what they are written as where that differs
    ("", [], None),
    (" ", [text(" ")], None),
    ("good morning", [text("good morning")], None),
    ("[CQ:at,qq=42]  x", [code("at", qq="42"), text("  x")], None),
    ("one&#44;two", [text("one,two")], "one,two"),
    ("one,two", [text("one,two")], None),
    ("[CQ:face,id=1][CQ:face,id=2]", [code("face", id="1"), code("face", id="2")], None),
    ("[CQ:share,url=http://a/?b=1=2,title=c]", [code("share", url="http://a/?b=1=2", title="c")], None),
    ("[CQ:dice]", [code("dice")], None),
    ("[CQ:shake] ", [code("shake"), text(" ")], None),
    ("[CQ:json,data={&#91;0&#44;9&#93;}]", [code("json", data="{[0,9]}")], None),
    ("[CQ:at,qq=all,name=b c]", [code("at", qq="all", name="b c")], None),
    ("[CQ:at,qq=7", [text("[CQ:at,qq=7")], "&#91;CQ:at,qq=7"),
    ("[CQ:at,,qq=7]", [text("[CQ:at,,qq=7]")], "&#91;CQ:at,,qq=7&#93;"),
    ("[CQ:at,qq]", [text("[CQ:at,qq]")], "&#91;CQ:at,qq&#93;"),
    ("[cq:at,qq=7]", [text("[cq:at,qq=7]")], "&#91;cq:at,qq=7&#93;"),
    ("&amp;#93;", [text("&#93;")], None),
    ("up\ndown[CQ:face,id=3]\n", [text("up\ndown"), code("face", id="3"), text("\n")], None),
    ("[CQ:at,qq=]", [code("at", qq="")], None),
    ("[CQ:at,qq=7,]", [code("at", qq="7")], "[CQ:at,qq=7]"),
    ("[CQ:at,qq=[7]", [code("at", qq="[7")], "[CQ:at,qq=&#91;7]"),
    ("[CQ:[CQ:at,qq=7]", [text("[CQ:"), code("at", qq="7")], "&#91;CQ:[CQ:at,qq=7]"),
    ("[CQ:x,a[CQ:at,qq=7]", [text("[CQ:x,a"), code("at", qq="7")], "&#91;CQ:x,a[CQ:at,qq=7]"),
    ("[CQ:x,a=[CQ:y,b]", [text("[CQ:x,a=[CQ:y,b]")], "&#91;CQ:x,a=&#91;CQ:y,b&#93;"),
]


@pytest.mark.parametrize(("written", "segments", "back"), CASES)
def test_cq_string_has_these_segments_and_is_written_back(
    written: str, segments: list[dict[str, Any]], back: str | None
) -> None:
    said = Message.parse(written)
    assert said.to_array() == segments
    assert said.to_cq() == (written if back is None else back)


@pytest.mark.skipif(not ORACLE.is_file(), reason="the kit with three parsers' answers is not beside the checkout")
def test_cq_strings_are_read_as_other_parsers_read_them() -> None:
    lines = [json.loads(line) for line in ORACLE.read_text("utf-8").splitlines()]
    assert len(lines) >= 18
    for line in lines:
        said = Message.parse(line["cq"])
        assert (said.to_array(), said.to_cq()) == (line["segments"], line["back"])


names = st.from_regex(r"[A-Za-z0-9_.\-]{1,8}", fullmatch=True)
values = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
pieces = st.one_of(
    st.builds(Text, values.filter(bool)),
    st.builds(Raw, names.filter(lambda name: name != "text"), st.dictionaries(names, values, max_size=3)),
)


@given(st.lists(pieces, max_size=8))
def test_segments_written_as_cq_are_read_back_equal(segments: list[Segment]) -> None:
    merged: list[Segment] = []
    for segment in segments:  # neighbouring texts become one
        if merged and isinstance(segment, Text) and isinstance(merged[-1], Text):
            merged[-1] = Text(merged[-1].text + segment.text)
        else:
            merged.append(segment)
    assert list(Message.cq(Message(*segments).to_cq())) == merged


@given(st.lists(st.sampled_from(["[CQ:", "]", "[", ",", "=", "at", "qq", "&amp;", "&", "&#44;", " "])))
def test_whatever_is_read_is_read_the_same_once_written(parts: list[str]) -> None:
    said = Message.cq("".join(parts))
    assert Message.cq(said.to_cq()) == said


@given(values)
def test_escaped_text_is_one_text_again(said: str) -> None:
    assert Message.cq(cq.escape(said)) == Message(said)
    assert Message.cq(f"[CQ:x,v={cq.escape_value(said)}]") == Message(Raw("x", {"v": said}))


def test_values_that_are_no_text_are_written_as_json() -> None:
    said = Message(Raw("x", {"a": 1, "b": True, "c": None, "d": [1, "é"]}))
    assert said.to_cq() == '[CQ:x,a=1,b=true,d=&#91;1&#44;"é"&#93;]'


def test_a_text_with_more_than_its_text_stays_whole() -> None:
    said = Message(Raw("text", {"text": "hi", "font": "1"}))
    assert Message.cq(said.to_cq()) == said


def test_two_thousand_segments_are_read_and_one_more_is_text() -> None:
    most = "[CQ:at,qq=1]" * 2_000
    assert list(Message.cq(most)) == [At(1)] * 2_000
    assert Message.cq(most + "[CQ:at,qq=1]").to_array() == [text(most + "[CQ:at,qq=1]")]
    assert Message.cq(most + "&amp;").to_array() == [text(most + "&amp;")]
    assert Message.cq("a" + most).text == "a" + most


def test_a_code_with_far_too_many_parameters_is_text() -> None:
    hostile = "[CQ:x" + ",a=1" * 20_001 + "]"
    assert Message.cq(hostile).text == hostile


@pytest.mark.parametrize(
    "unit",
    ["[CQ:", "[CQ:a", "[CQ:a,", "[CQ:a,a=", "[CQ:a,,]", "[CQ:]", "[", "]", "&amp;", "[CQ:a,b=[CQ:c,", ",a=b"],
)
def test_a_mebibyte_of_hostile_text_is_read_in_linear_time(unit: str) -> None:
    def seconds(size: int) -> float:
        hostile = ("[CQ:a" + unit * (size // len(unit)))[:size] + ",,]"
        started = time.process_time()
        Message.cq(hostile)
        return time.process_time() - started

    assert min(seconds(1 << 20) for _ in range(3)) < 0.1  # a quadratic reader takes minutes

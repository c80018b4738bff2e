"""Calls and results as they come, from new workers and old ones."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from botmatrix.skills.choice import choose
from botmatrix.skills.matching import present_id
from botmatrix.skills.model import BadParams, Capability, SkillCall, answer, decode_call, decode_result
from botmatrix.skills.schema import fitted

WEATHER = [Capability(name="weather")]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("absent", ["", "<nil>", "0", 0, None, "  "])
def test_ids_that_old_workers_write_for_none_are_absent(absent: str | int | None) -> None:
    assert present_id(absent) == ""


def test_ids_may_be_numbers() -> None:
    result = decode_result(b'{"type": "skill_result", "task_id": 12, "execution_id": "<nil>", "status": "ok"}')
    assert result is not None
    assert (result.task, result.execution, result.state) == ("12", "", "success")


@pytest.mark.parametrize(("status", "state"), [("failed", "failed"), ("success", "success"), ("done", "success")])
def test_all_but_failed_is_success(status: str, state: str) -> None:
    result = decode_result(json.dumps({"type": "skill_result", "status": status}).encode())
    assert result is not None
    assert result.state == state


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"type": "control"}', b"\xff", b'{"type": "skill_result"', b"1" * 99]
)
def test_what_is_no_call_and_no_result_is_none(body: bytes) -> None:
    assert decode_call(body) is None
    assert decode_result(body) is None


def test_an_answer_names_both_ids() -> None:
    call = decode_call(b'{"type": "skill_call", "skill": "w", "params": {}, "task_id": 12, "execution_id": "e"}')
    assert call == SkillCall(skill="w", task_id=12, execution_id="e")
    assert call is not None
    result = decode_result(answer(call, "w1", "success", 5.0, result="sunny"))
    assert result is not None
    assert (result.task, result.execution, result.worker_id, result.text) == ("12", "e", "w1", "sunny")


def test_the_choice_is_uniform_among_those_that_reported_the_skill() -> None:
    workers = {"w1": WEATHER, "w2": WEATHER, "old": [], "other": [Capability(name="weather2")]}
    counts = Counter(choose("weather", {}, workers) for _ in range(10_000))
    assert set(counts) == {"w1", "w2"}
    assert abs(counts["w1"] - 5000) < 300


@pytest.mark.parametrize(
    ("params", "declined", "chosen"),
    [
        ({"worker_id": "w2"}, (), "w2"),
        ({"worker_id": "old"}, (), ""),
        ({"worker_id": "nobody"}, (), ""),
        ({}, ("w1",), "w2"),
        ({}, ("w1", "w2"), ""),
    ],
)
def test_a_named_worker_overrides_and_who_declined_is_left_out(
    params: dict[str, Any], declined: tuple[str, ...], chosen: str
) -> None:
    assert choose("weather", params, {"w1": WEATHER, "w2": WEATHER, "old": []}, declined) == chosen


def test_text_becomes_what_the_schema_wants() -> None:
    assert fitted({"city": "12", "days": "3", "worker_id": "w1"}, SCHEMA) == {
        "city": "12",
        "days": 3,
        "worker_id": "w1",
    }


@pytest.mark.parametrize("params", [{}, {"city": 1}, {"city": "x", "days": "many"}, {"city": "x", "citi": "y"}])
def test_parameters_that_do_not_fit_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(BadParams):
        fitted(params, SCHEMA)


@pytest.mark.parametrize("schema", [{"$ref": "http://127.0.0.1:9/x"}, {"type": 7}, {"$ref": "file:///etc/passwd"}])
def test_a_hostile_schema_reads_nothing(schema: dict[str, Any]) -> None:
    assert fitted({"a": 1}, schema) == {"a": 1}

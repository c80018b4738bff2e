"""Refusals are words: no regular expression reaches a person."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, get_args

import pytest
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError
from pydantic_core.core_schema import ErrorType

from botmatrix.core.wording import KINDS, PATTERNS, problem_of


def _problem(pattern: str, value: object) -> str:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Annotated[str, StringConstraints(pattern=pattern)]).validate_python(value)
    return problem_of(caught.value.errors()[0])


def test_an_expression_is_said_in_words() -> None:
    assert _problem(r"^[\w.@+\-]+$", "a b") == "must be letters, digits and _ . @ + -, without spaces"
    assert _problem(r"^unheard of$", "a b") == "has characters that are not allowed here"
    assert _problem(r"^[\w.@+\-]+$", 5) == "must be text"


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_expression_that_is_known_refuses_something_in_words(pattern: str) -> None:
    assert _problem(pattern, "\0 ").startswith("must ")


class Sent(BaseModel):
    """A body as forms send it."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=2, max_length=4)]
    tries: Annotated[int, Field(ge=0, le=10)] = 0
    share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    on: bool = True
    kind: Literal["one", "all"] = "one"
    ids: Annotated[list[str], Field(min_length=1, max_length=2)] = ["a"]
    when: datetime | None = None


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({}, "is missing"),
        ({"name": "x"}, "must have at least 2 characters"),
        ({"name": "xxxxx"}, "must have at most 4 characters"),
        ({"name": 5}, "must be text"),
        ({"name": "ab", "more": 1}, "is not known here"),
        ({"name": "ab", "tries": "many"}, "must be a whole number"),
        ({"name": "ab", "tries": 1.5}, "must be a whole number"),
        ({"name": "ab", "tries": -1}, "must be at least 0"),
        ({"name": "ab", "tries": 11}, "must be at most 10"),
        ({"name": "ab", "share": 0}, "must be more than 0.0"),
        ({"name": "ab", "share": 1}, "must be less than 1.0"),
        ({"name": "ab", "share": "x"}, "must be a number"),
        ({"name": "ab", "on": "perhaps"}, "must be true or false"),
        ({"name": "ab", "kind": "none"}, "must be one of 'one' or 'all'"),
        ({"name": "ab", "ids": []}, "must not be empty"),
        ({"name": "ab", "ids": "a"}, "must be a list"),
        ({"name": "ab", "when": "soon"}, "must be a day and a time, as in 2026-12-24T18:00:00Z"),
        ([], "must be an object"),
    ],
)
def test_a_refusal_is_said_in_few_words(sent: Any, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Sent.model_validate(sent)
    assert problem_of(caught.value.errors()[0]) == words


def test_every_kind_that_has_words_is_one_of_pydantic() -> None:
    assert set(KINDS) <= set(get_args(ErrorType))

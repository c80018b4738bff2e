"""Refusals are words: no regular expression reaches a person."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import StringConstraints, TypeAdapter, ValidationError

from botmatrix.core.wording import PATTERNS, problem_of


def _problem(pattern: str, value: object) -> str:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Annotated[str, StringConstraints(pattern=pattern)]).validate_python(value)
    return problem_of(caught.value.errors()[0])


def test_an_expression_is_said_in_words() -> None:
    assert _problem(r"^[\w.@+\-]+$", "a b") == "must be letters, digits and _ . @ + -, without spaces"
    assert _problem(r"^unheard of$", "a b") == "has characters that are not allowed here"
    assert _problem(r"^[\w.@+\-]+$", 5) == "Input should be a valid string"


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_expression_that_is_known_refuses_something_in_words(pattern: str) -> None:
    assert _problem(pattern, "\0 ").startswith("must ")

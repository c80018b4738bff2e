"""Typed arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botmatrix.onebot.message import At, Face, Message
from botmatrix.sdk.arguments import Arguments, UsageError, words


def full(
    ctx: object, city: str, days: int = 1, ratio: float | None = None, *, units: Literal["c", "f"] = "c"
) -> None: ...


def rest(ctx: object, first: str, *others: int) -> None: ...


def options(ctx: object, *, max_days: int, verbose: bool = False, name: str | None = None) -> None: ...


def one(kind: Any) -> Callable[..., None]:
    def function(ctx: object, x: Any) -> None: ...

    function.__annotations__["x"] = kind
    return function


def bound(function: Callable[..., Any], said: str) -> tuple[list[Any], dict[str, Any]]:
    return Arguments(function).bind(words(Message(said)))


@pytest.mark.parametrize(
    ("function", "said", "expected"),
    [
        (full, "Bonn", (["Bonn", 1, None], {})),
        (full, "Bonn 3", (["Bonn", 3, None], {})),
        (full, "Bonn 3 0.5 --units f", (["Bonn", 3, 0.5], {"units": "f"})),
        (full, "units=f Bonn", (["Bonn", 1, None], {"units": "f"})),
        (full, '"New York" -3', (["New York", -3, None], {})),
        (full, "“New York”", (["New York", 1, None], {})),
        (full, "a=b", (["a=b", 1, None], {})),
        (full, '""', (["", 1, None], {})),
        (rest, "a", (["a"], {})),
        (rest, "a 1 2 3", (["a", 1, 2, 3], {})),
        (rest, "--a 1", (["--a", 1], {})),
        (options, "--max-days 3", ([], {"max_days": 3})),
        (options, "--max_days=3 --verbose", ([], {"max_days": 3, "verbose": True})),
        (options, "max_days=3 verbose=否 --name x", ([], {"max_days": 3, "verbose": False, "name": "x"})),
    ],
)
def test_words_become_values(function: Callable[..., Any], said: str, expected: object) -> None:
    assert bound(function, said) == expected


@pytest.mark.parametrize(
    ("function", "said", "complaint"),
    [
        (full, "", "city is missing"),
        (full, "a x", "days must be a whole number, not “x”"),
        (full, "a 1_0", "days must be a whole number, not “1_0”"),
        (full, "a 1 nan", "ratio must be a number, not “nan”"),
        (full, "a 1 2 3", "too many words, from “3” on"),
        (full, "a --units k", "units must be one of c | f, not “k”"),
        (full, "a --units", "option --units needs a value"),
        (full, "a --nothing 1", "there is no option --nothing"),
        (rest, "a 1 x", "others must be a whole number, not “x”"),
        (options, "", "option --max_days is missing"),
        (options, "--max-days 1 verbose=maybe", "verbose must be yes or no, not “maybe”"),
    ],
)
def test_words_that_do_not_fit_are_explained(function: Callable[..., Any], said: str, complaint: str) -> None:
    with pytest.raises(UsageError) as caught:
        bound(function, said)
    assert caught.value.english == complaint
    assert caught.value.chinese


def test_two_dashes_end_the_options() -> None:
    def function(ctx: object, *rest: str, n: int = 0) -> None: ...

    assert bound(function, "a --n 1 -- --n 2") == (["a", "--n", "2"], {"n": 1})


def test_an_at_is_a_word_and_a_face_is_none() -> None:
    assert words(At(42) + " 10 " + Face(1) + "min") == ["42", "10", "min"]


@pytest.mark.parametrize(
    ("function", "usage"),
    [
        (full, "<city> [days] [ratio] [--units <units>]"),
        (rest, "<first> [others...]"),
        (options, "--max_days <max_days> [--verbose] [--name <name>]"),
        (lambda ctx: None, ""),
    ],
)
def test_usage_shows_how_to_write_them(function: Callable[..., Any], usage: str) -> None:
    assert Arguments(function).usage == usage


@pytest.mark.parametrize("kind", [list[int], dict, bytes, "int | str", Literal])
def test_types_that_no_message_holds_are_refused_at_once(kind: Any) -> None:
    with pytest.raises(TypeError, match=r"function\(x\)"):
        Arguments(one(kind))


def test_annotations_may_be_strings() -> None:
    assert bound(one("Literal[1, 'b'] | None"), "1") == ([1], {})


def test_annotation_of_the_context_is_not_looked_at() -> None:
    def function(ctx, n: int) -> None: ...  # type: ignore[no-untyped-def]

    function.__annotations__["ctx"] = "OnlyKnownToTypeCheckers"
    assert bound(function, "5") == ([5], {})


def test_regex_groups_fill_what_the_handler_takes() -> None:
    found = Arguments(full).groups({"city": "Bonn", "days": "2", "other": "x", "ratio": None})
    assert found == {"city": "Bonn", "days": 2}
    assert Arguments(full).groups({}) == {"city": None}


@given(st.text(max_size=40))
def test_any_text_is_split_and_bound_or_explained(said: str) -> None:
    for function in (full, rest, options):
        try:
            bound(function, said)
        except UsageError as error:
            assert bool(error.chinese) is bool(error.english) is True  # noqa: PT017 - either way is right

"""What is kept of a foreign object in the operation log."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botmatrix.store.masking import LARGEST, MASK, storable


@pytest.mark.parametrize(
    "name", ["password", "new_password", "Passwd", "access_token", "TOKEN", "client_secret", "apiKey", "api_key"]
)
def test_fields_with_telling_names_are_masked_at_any_depth(name: str) -> None:
    assert storable({"a": [{name: "canary"}], name: {"x": "canary"}}) == {"a": [{name: MASK}], name: MASK}


def test_that_a_secret_was_empty_is_no_secret() -> None:
    assert storable({"password": "", "token": None, "has_token": True}) == {
        "password": "",
        "token": None,
        "has_token": True,
    }


def test_our_own_tokens_are_masked_wherever_they_stand() -> None:
    assert storable({"note": "use bmk_abc-DEF_1 or bms_xyz."}) == {"note": f"use {MASK} or {MASK}."}


def test_what_the_database_cannot_take_is_replaced() -> None:
    found = storable({"a\0": "b\0\ud800c", "big": 10**5000, "nan": float("nan"), "inf": float("-inf")})
    assert found == {"a�": "b��c", "big": hex(10**5000)[:2000], "nan": "nan", "inf": "-inf"}


def test_too_much_is_only_counted() -> None:
    assert storable({"words": ["word"] * 10_000}) == {"too_large": 80_011}
    assert storable(None) is None


def test_a_bottomless_object_ends() -> None:
    deep: dict[str, object] = {}
    for _ in range(5000):
        deep = {"x": deep}
    assert json.dumps(storable(deep)).count("x") < 30


@given(
    st.dictionaries(st.text(), st.recursive(st.none() | st.text() | st.floats() | st.integers(), st.lists), max_size=5)
)
def test_whatever_comes_in_json_without_nul_comes_out(value: dict[str, object]) -> None:
    text = json.dumps(storable(value), ensure_ascii=False, allow_nan=False)
    assert len(text.encode()) <= LARGEST
    assert "\0" not in str(json.loads(text))

"""Settings of plugins: what fits a schema, which values are secret, and the document that carries them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretStr

from botmatrix.core.plugin_schema import MASK, masked, problems, unmasked
from botmatrix.core.plugin_settings import LARGEST, PluginSettings, SettingsChanged, parse, with_values
from botmatrix.core.plugins import BadPlugins


class Server(BaseModel):
    url: str = ""
    key: SecretStr | None = None


class Form(BaseModel):
    token: SecretStr = SecretStr("")
    days: int = Field(1, ge=1)
    servers: list[Server] = []
    named: dict[str, Server] = {}


SCHEMA = Form.model_json_schema()
VALUES: dict[str, Any] = {
    "token": "t0p",
    "servers": [{"url": "a", "key": "k1"}, {"url": "b"}],
    "named": {"x": {"key": "k2"}},
}


def test_secrets_are_masked_wherever_they_stand() -> None:
    shown = masked(VALUES, SCHEMA)
    assert shown["token"] == MASK
    assert shown["servers"] == [{"url": "a", "key": MASK}, {"url": "b"}]
    assert shown["named"] == {"x": {"key": MASK}}


def test_what_was_shown_and_sent_back_changes_nothing() -> None:
    assert unmasked(masked(VALUES, SCHEMA), VALUES, SCHEMA) == VALUES


def test_a_mask_without_a_secret_behind_it_is_refused() -> None:
    with pytest.raises(BadPlugins, match="there is none"):
        unmasked({"token": MASK}, {}, SCHEMA)


def test_a_secret_that_is_not_named_any_more_is_forgotten() -> None:
    assert unmasked({"days": 2}, VALUES, SCHEMA) == {"days": 2}


def test_problems_name_the_place_and_never_the_value() -> None:
    (problem,) = problems({"token": 123456, "days": 3}, SCHEMA)
    assert problem.startswith("token: ")
    assert "123456" not in problem
    assert problems(VALUES, SCHEMA) == []


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "https://elsewhere.test/schema"},
        {"$ref": "file:///etc/passwd"},
        {"pattern": "("},
        {"properties": {"a": {"pattern": "(?=x)"}}},
        {"type": 7},
    ],
)
def test_a_schema_that_can_not_be_used_lets_everything_pass(schema: dict[str, Any]) -> None:
    assert problems({"a": 1}, schema) == []


def test_an_expression_that_others_choke_on_is_checked_at_once() -> None:
    schema = {"properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}}
    assert len(problems({"a": "a" * 5000 + "!"}, schema)) == 1


@pytest.mark.parametrize(
    "schema",
    [
        {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]},
        {"allOf": [{"allOf": [{"$ref": "#"}] * 50}] * 50},
    ],
)
def test_a_schema_that_turns_in_circles_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(BadPlugins, match="too tangled"):
        masked({"a": 1}, schema)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON), st.dictionaries(st.text(), JSON))
def test_foreign_schemas_break_nothing(values: dict[str, Any], schema: dict[str, Any]) -> None:
    assert masked(values, schema) is not None
    problems(values, schema)


def test_each_change_has_a_version_of_its_own() -> None:
    first = with_values(PluginSettings(), "dice", {"a": 1})
    second = with_values(first, "dice", {"a": 2}, expected=1)
    assert (second.of("dice").version, second.of("dice").values) == (2, {"a": 2})
    assert second.of("cards").version == 0
    assert parse(second.to_json()) == second
    with pytest.raises(SettingsChanged, match="version 2 by now"):
        with_values(second, "dice", {}, expected=1)


@pytest.mark.parametrize("value", [float("nan"), "\ud800", "x" * LARGEST])
def test_what_can_not_be_kept_is_refused(value: Any) -> None:
    with pytest.raises(BadPlugins):
        with_values(PluginSettings(), "dice", {"a": value})

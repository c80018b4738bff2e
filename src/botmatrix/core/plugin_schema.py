"""What a plugin's settings look like, as JSON Schema: whether values fit it, and which of them are secret."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NoReturn

import jsonschema_rs

from botmatrix.core.plugins import BadPlugins

MASK: Final = "********"
"""Stands for a secret that is set: sent back, the secret stays what it is."""
_MOST_STEPS: Final = 20_000
_DEEPEST: Final = 100
_LISTED: Final = 10

Schema = Mapping[str, Any]
Secret = Callable[[Any, Any], Any]


def problems(values: Mapping[str, Any], schema: Schema) -> list[str]:
    """What does not fit, at most 10; values are not repeated, for they may be secret.

    A schema that can't be read, or refers to anything outside itself, lets everything pass: the worker looks again.
    """
    try:
        validator = jsonschema_rs.validator_for(
            dict(schema), retriever=_outside, mask="the value", pattern_options=jsonschema_rs.RegexOptions()
        )
    except (ValueError, jsonschema_rs.ReferencingError):
        return []
    try:
        return sorted({_said(error) for error in validator.iter_errors(dict(values))})[:_LISTED]
    except ValueError as error:
        return [f"settings: {error}"[:300]]


def masked(values: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """The values with a mask in the place of each secret that is set. Raises `BadPlugins`."""
    return _Walk(schema, lambda value, _: MASK if value not in (None, "") else value).all(values, {})


def unmasked(values: Mapping[str, Any], before: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """The values with the secrets of `before` in the place of masks. Raises `BadPlugins`."""
    return _Walk(schema, _kept).all(values, before)


def _kept(value: Any, before: Any) -> Any:
    if value != MASK:
        return value
    if before is None:
        raise BadPlugins(f"{MASK} stands for a secret that is set, and there is none at this place")
    return before


class _Walk:
    """Goes through values along a schema, and calls `secret` for each value that is one."""

    def __init__(self, schema: Schema, secret: Secret) -> None:
        self._root, self._secret, self._steps = schema, secret, 0

    def all(self, values: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self._value(dict(values), before, self._root, 0)
        return found

    def _value(self, value: Any, before: Any, schema: Any, depth: int) -> Any:
        self._steps += 1
        if self._steps > _MOST_STEPS or depth > _DEEPEST:
            raise BadPlugins("the schema of these settings is too tangled to find the secrets in it")
        if not isinstance(schema, Mapping):
            return value
        if schema.get("writeOnly") is True or schema.get("format") == "password":
            return self._secret(value, before)
        for part in self._parts(schema):
            value = self._value(value, before, part, depth + 1)
        if isinstance(value, dict):
            earlier = before if isinstance(before, Mapping) else {}
            return {
                name: self._value(one, earlier.get(name), _field(schema, name), depth + 1)
                for name, one in value.items()
            }
        if isinstance(value, list):
            old = before if isinstance(before, list) else []
            return [
                self._value(one, old[index] if index < len(old) else None, _item(schema, index), depth + 1)
                for index, one in enumerate(value)
            ]
        return value

    def _parts(self, schema: Schema) -> Iterator[Any]:
        """Other schemas that hold for the same value."""
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference.startswith("#"):
            yield self._pointed(reference)
        for name in ("anyOf", "allOf", "oneOf"):
            found = schema.get(name)
            yield from found if isinstance(found, list) else ()

    def _pointed(self, reference: str) -> Any:
        found: Any = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            found = found.get(name) if isinstance(found, Mapping) else None
        return found


def _field(schema: Schema, name: str) -> Any:
    fields = schema.get("properties")
    found = fields.get(name) if isinstance(fields, Mapping) else None
    return found if found is not None else schema.get("additionalProperties")


def _item(schema: Schema, index: int) -> Any:
    first = schema.get("prefixItems")
    if isinstance(first, list) and index < len(first):
        return first[index]
    return schema.get("items")


def _said(error: Any) -> str:
    return f"{'.'.join(map(str, error.instance_path)) or 'settings'}: {error.message}"[:300]


def _outside(uri: str) -> NoReturn:
    raise ValueError(f"a schema may not refer to {uri}")

"""Parameters of a call against the JSON Schema that a worker reported for its skill."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NoReturn

import jsonschema_rs
import msgspec

from botmatrix.skills.model import OWN_PARAMS, BadParams


def fitted(params: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as the schema wants them: text becomes a number, a list and so on where it asks for one.

    A schema that can't be read, or that refers to anything outside itself, lets everything pass: the worker looks
    again. Raises `BadParams`.
    """
    kinds = schema.get("properties", {})
    found = {name: _read(value, kinds.get(name, {})) for name, value in params.items()}
    validator = _validator(msgspec.json.encode(schema))
    if validator is None:
        return found
    own = {name: value for name, value in found.items() if name not in OWN_PARAMS}
    problems = [
        f"{'.'.join(map(str, one.instance_path)) or 'params'}: {one.message}" for one in _errors(validator, own)
    ]
    if problems:
        raise BadParams("; ".join(problems[:5])[:1000])
    return found


@lru_cache(maxsize=256)
def _validator(schema: bytes) -> Any:
    try:
        return jsonschema_rs.validator_for(json.loads(schema), retriever=_outside)
    except (ValueError, jsonschema_rs.ReferencingError):
        return None


def _errors(validator: Any, own: Any) -> list[Any]:
    try:
        return list(validator.iter_errors(own))
    except ValueError as error:  # a number that JSON does not have
        raise BadParams(str(error)) from None


def _read(value: Any, kind: Any) -> Any:
    if not isinstance(value, str) or not isinstance(kind, Mapping) or kind.get("type", "string") == "string":
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _outside(uri: str) -> NoReturn:
    raise ValueError(f"a schema may not refer to {uri}")

"""Skills as a plugin declares them: functions with typed parameters that the hub may call."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ArgsKwargs

from botmatrix.sdk.handler import first_line
from botmatrix.skills.model import BadParams

_NAME = re.compile(r"[\w][\w.\-]{0,63}")


class Skill:
    """One skill. Its parameters are those of the function; text is turned into their types.

    `timeout`: seconds that one execution may take. `schema`: JSON Schema of the parameters, an object.
    """

    def __init__(
        self, name: str, function: Callable[..., Any], *, description: str = "", regex: str = "", timeout: float = 60.0
    ) -> None:
        """Raises `ValueError` for a name or a time limit that is none, `TypeError` for a signature without names."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a skill: use letters, digits, _ . -, at most 64")
        if timeout <= 0:
            raise ValueError("timeout must be above 0 seconds")
        re.compile(regex)
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
                raise TypeError(f"skill {name}: {parameter} can't be given by name")
        self.name, self.function, self.timeout = name, function, timeout
        self.description, self.regex = description or first_line(function), regex
        self.is_async = inspect.iscoroutinefunction(function)
        self._adapter: TypeAdapter[Any] = TypeAdapter(_taking(function))  # type: ignore[arg-type]
        self.schema: dict[str, Any] = self._adapter.json_schema()

    @property
    def usage(self) -> str:
        """How to call it: `weather city=<city> [days=<days>]`."""
        required = self.schema.get("required", ())
        words = [f"{name}=<{name}>" for name in self.schema.get("properties", {})]
        shown = [word if word.partition("=")[0] in required else f"[{word}]" for word in words]
        return " ".join([self.name, *shown])

    @property
    def params(self) -> dict[str, str]:
        """Name -> what it is, in a word or two."""
        found = self.schema.get("properties", {})
        return {name: str(about.get("description") or about.get("type") or "any") for name, about in found.items()}

    def arguments(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The function's arguments. Raises `BadParams`."""
        try:
            found: dict[str, Any] = self._adapter.validate_python(ArgsKwargs((), dict(params)))
        except ValidationError as error:
            told = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False)[:5]]
            raise BadParams("; ".join(told)) from None
        return found


def _taking(function: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    """A function with the same parameters that only says what it was called with."""

    def take(**arguments: Any) -> dict[str, Any]:
        return arguments

    parameters = [
        one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in inspect.signature(function).parameters.values()
    ]
    hints = inspect.get_annotations(function, eval_str=True)
    take.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    take.__annotations__ = {name: kind for name, kind in hints.items() if name != "return"}
    take.__module__, take.__name__ = function.__module__, function.__name__
    return take

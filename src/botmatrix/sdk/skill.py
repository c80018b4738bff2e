"""Skills as a plugin declares them: functions with typed parameters that the hub may call."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ArgsKwargs

from botmatrix.sdk.handler import first_line
from botmatrix.sdk.perm import Permission
from botmatrix.skills.model import BadParams
from botmatrix.skills.permission import DEFAULT, SkillPermission
from botmatrix.skills.words import expression

if TYPE_CHECKING:
    from botmatrix.sdk.context import Context

_NAME = re.compile(r"[\w][\w.\-]{0,63}")


class Skill:
    """One skill. Its parameters are those of the function; text is turned into their types.

    `timeout`: seconds that one execution may take. `schema`: JSON Schema of the parameters, an object. `permission`:
    who may use it, as a `perm` or in a word; nothing said, those who command the hub.
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        *,
        description: str = "",
        regex: str = "",
        permission: Permission | str = DEFAULT,
        timeout: float = 60.0,
    ) -> None:
        """Raises `TypeError` for a signature without names, `ValueError` for anything else that can't be."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a skill: use letters, digits, _ . -, at most 64")
        if timeout <= 0:
            raise ValueError("timeout must be above 0 seconds")
        try:
            self.words = expression(regex) if regex else None
        except ValueError as error:
            raise ValueError(f"regex of skill {name}: {error}") from None
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
                raise TypeError(f"skill {name}: {parameter} can't be given by name")
        self.name, self.function, self.timeout = name, function, timeout
        self.description, self.regex = description or first_line(function), regex
        self.permission = _permission(permission)
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

    def start(self, arguments: Mapping[str, Any], _ctx: Context | None) -> Any:
        """Begin an execution: an awaitable, or of a `def` its result. `_ctx`: who said it where, if anybody did."""
        return self.function(**arguments)

    def arguments(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The function's arguments. Raises `BadParams`."""
        try:
            found: dict[str, Any] = self._adapter.validate_python(ArgsKwargs((), dict(params)))
        except ValidationError as error:
            told = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False)[:5]]
            raise BadParams("; ".join(told)) from None
        return found


def _permission(given: Permission | str) -> SkillPermission:
    text = given.name.lower() if isinstance(given, Permission) else given
    try:
        return SkillPermission(text)
    except ValueError:
        raise ValueError(f"permission of a skill: one of {', '.join(SkillPermission)}, not {text!r}") from None


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

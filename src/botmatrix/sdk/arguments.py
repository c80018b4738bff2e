"""Typed arguments of commands and regex groups, declared by a handler's own signature.

Positional parameters take words in turn, `*rest` takes what is left, keyword-only ones are options:
`--days 3`, `--days=3`, `days=3`. Quotes keep words together. Types: str, int, float, bool, Literal, and each
with `| None`.
"""

from __future__ import annotations

import inspect
import math
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from botmatrix.onebot.message import At, Message, Text

_WORD = re.compile(r'"([^"]*)"|“([^”]*)”|(\S+)')
_TRUE = frozenset("1 true yes on y 是 开 真".split())
_FALSE = frozenset("0 false no off n 否 关 假".split())
_REQUIRED: Any = inspect.Parameter.empty

Kind = inspect.Parameter


class UsageError(Exception):
    """The words do not fit the command; says why in Chinese and in English."""

    def __init__(self, chinese: str, english: str) -> None:
        self.chinese, self.english = chinese, english
        super().__init__(english)


class Parameter(NamedTuple):
    """One declared argument. `read` turns a word into the value, or raises `ValueError`."""

    name: str
    read: Callable[[str], Any]
    default: Any
    expected: tuple[str, str]
    flag: bool

    @property
    def required(self) -> bool:
        return self.default is _REQUIRED

    def value(self, word: str) -> Any:
        """Raises `UsageError`."""
        try:
            return self.read(word)
        except ValueError:
            chinese, english = self.expected
            raise UsageError(
                f"{self.name} 应为{chinese}，而不是“{word}”",
                f"{self.name} must be {english}, not “{word}”",
            ) from None


class Arguments:
    """What a handler takes besides its context. Raises `TypeError` for a signature that can't be filled."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.positional: list[Parameter] = []
        self.rest: Parameter | None = None
        self.options: dict[str, Parameter] = {}
        for parameter in _own_parameters(function):
            self._declare(_parameter(function, parameter), parameter.kind)
        self.none = not (self.positional or self.rest or self.options)

    def _declare(self, parameter: Parameter, kind: Any) -> None:
        if kind is Kind.VAR_POSITIONAL:
            self.rest = parameter
        elif kind is Kind.KEYWORD_ONLY:
            self.options[parameter.name] = parameter
        elif kind is Kind.VAR_KEYWORD:
            raise TypeError(f"**{parameter.name} can't be filled from a message")
        else:
            self.positional.append(parameter)

    @property
    def usage(self) -> str:
        """How to write them: `<city> [days] [rest...] [--units <units>]`."""
        parts = [f"<{p.name}>" if p.required else f"[{p.name}]" for p in self.positional]
        parts += [f"[{self.rest.name}...]"] if self.rest else []
        for option in self.options.values():
            written = f"--{option.name}" if option.flag else f"--{option.name} <{option.name}>"
            parts.append(written if option.required else f"[{written}]")
        return " ".join(parts)

    def bind(self, words: Sequence[str]) -> tuple[list[Any], dict[str, Any]]:
        """Values for the handler: positional ones and options. Raises `UsageError`."""
        plain, options = self._split(words)
        for name, option in self.options.items():
            if option.required and name not in options:
                raise UsageError(f"缺少选项 --{name}", f"option --{name} is missing")
        return self._positional(plain), options

    def groups(self, found: Mapping[str, str | None]) -> dict[str, Any]:
        """Values for the handler from the named groups of a regex; groups it does not take are left out."""
        values: dict[str, Any] = {}
        for parameter in (*self.positional, *self.options.values()):
            text = found.get(parameter.name)
            if text is not None:
                values[parameter.name] = parameter.value(text)
            elif parameter.required:
                values[parameter.name] = None
        return values

    def _positional(self, words: list[str]) -> list[Any]:
        values = [parameter.value(word) for parameter, word in zip(self.positional, words, strict=False)]
        for parameter in self.positional[len(words) :]:
            if parameter.required:
                raise UsageError(f"缺少参数 {parameter.name}", f"{parameter.name} is missing")
            values.append(parameter.default)
        left = words[len(self.positional) :]
        if self.rest:
            return values + [self.rest.value(word) for word in left]
        if left:
            raise UsageError(f"多余的内容：“{left[0]}”", f"too many words, from “{left[0]}” on")
        return values

    def _split(self, words: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
        """Words that are no options, and the options."""
        if not self.options:
            return list(words), {}
        plain: list[str] = []
        options: dict[str, Any] = {}
        queue = iter(words)
        for word in queue:
            if word == "--":
                plain.extend(queue)
                break
            option, value = self._option(word)
            if option is None:
                plain.append(word)
            else:
                options[option.name] = option.value(_given(option, value, queue))
        return plain, options

    def _option(self, word: str) -> tuple[Parameter | None, str | None]:
        """The option that a word names, and the value written into the same word."""
        name, equals, value = word.removeprefix("--").partition("=")
        option = self.options.get(name.replace("-", "_"))
        if word.startswith("--"):
            if option is None:
                raise UsageError(f"没有选项 --{name}", f"there is no option --{name}")
            return option, value if equals else None
        return (option, value) if equals and option else (None, None)


def words(message: Message) -> list[str]:
    """The words of a message; an `@` counts as a word, the person's id."""
    found: list[str] = []
    for segment in message:
        if isinstance(segment, Text):
            found += [match[match.lastindex or 0] for match in _WORD.finditer(segment.text)]
        elif isinstance(segment, At):
            found.append(segment.user_id)
    return found


def _given(option: Parameter, value: str | None, queue: Any) -> str:
    if value is not None:
        return value
    if option.flag:
        return "true"
    following = next(queue, None)
    if following is None:
        raise UsageError(f"选项 --{option.name} 缺少值", f"option --{option.name} needs a value")
    return str(following)


def _own_parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters or parameters[0].kind not in (Kind.POSITIONAL_ONLY, Kind.POSITIONAL_OR_KEYWORD):
        raise TypeError(f"{function.__name__}() must take the context as its first parameter")
    return parameters[1:]


def _parameter(function: Callable[..., Any], parameter: inspect.Parameter) -> Parameter:
    annotation = _annotation(function, parameter)
    optional, kind = _without_none(annotation)
    read, expected = _reader(kind, f"{function.__name__}({parameter.name})")
    default = parameter.default
    if default is _REQUIRED and optional:
        default = None
    return Parameter(parameter.name, read, default, expected, kind is bool)


def _annotation(function: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    """The annotation as an object. That of the context is not looked at: it may be under TYPE_CHECKING."""
    if parameter.annotation is _REQUIRED:
        return str
    holder = types.SimpleNamespace(__annotations__={parameter.name: parameter.annotation})
    space = getattr(inspect.unwrap(function), "__globals__", {})
    return typing.get_type_hints(holder, globalns=space)[parameter.name]


def _without_none(annotation: Any) -> tuple[bool, Any]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        kinds = [kind for kind in typing.get_args(annotation) if kind is not types.NoneType]
        if len(kinds) == 1:
            return True, kinds[0]
    return False, annotation


def _reader(kind: Any, where: str) -> tuple[Callable[[str], Any], tuple[str, str]]:
    """How to read a value of this type, and what to call it."""
    if kind in _READERS:
        return _READERS[kind]
    if typing.get_origin(kind) is Literal:
        choices = {str(value): value for value in typing.get_args(kind)}
        names = " | ".join(choices)
        return lambda word: _choice(choices, word), (f" {names} 之一", f"one of {names}")
    raise TypeError(f"{where}: {kind!r} can't be read from a message; use str, int, float, bool or Literal")


def _choice(choices: Mapping[str, Any], word: str) -> Any:
    if word not in choices:
        raise ValueError(word)
    return choices[word]


def _integer(word: str) -> int:
    if "_" in word:
        raise ValueError(word)
    return int(word)


def _number(word: str) -> float:
    value = float(word)
    if "_" in word or not math.isfinite(value):
        raise ValueError(word)
    return value


def _truth(word: str) -> bool:
    lowered = word.lower()
    if lowered not in _TRUE and lowered not in _FALSE:
        raise ValueError(word)
    return lowered in _TRUE


_READERS: dict[Any, tuple[Callable[[str], Any], tuple[str, str]]] = {
    str: (str, ("文字", "text")),
    Any: (str, ("文字", "text")),
    int: (_integer, ("整数", "a whole number")),
    float: (_number, ("数字", "a number")),
    bool: (_truth, ("是或否", "yes or no")),
}

"""What people write to mean a skill: the expressions of all skills, searched in one go.

RE2: linear in time, whoever wrote them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import re2


def expression(regex: str) -> Any:
    """Compile one. Raises `ValueError` with what is wrong."""
    try:
        return cast("Any", re2.compile(regex, _options()))
    except re2.error as error:
        told = error.args[0] if error.args else error
        raise ValueError(told.decode(errors="replace") if isinstance(told, bytes) else str(told)) from None


class Words:
    """Skill -> its expression. Those that can't be read are in `unreadable`, and mean nothing."""

    def __init__(self, expressions: Mapping[str, str]) -> None:
        self._names: list[str] = []
        self.unreadable: dict[str, str] = {}
        self._set = re2.Set.SearchSet(_options())
        for name, regex in sorted(expressions.items()):
            try:
                expression(regex)
            except ValueError as error:
                self.unreadable[name] = str(error)
            else:
                self._set.Add(regex)
                self._names.append(name)
        if self._names:
            self._set.Compile()

    def __bool__(self) -> bool:
        return bool(self._names)

    def meant(self, text: str) -> list[str]:
        """The skills that a text means, by name."""
        return [self._names[index] for index in sorted(self._set.Match(text) or ())] if self._names else []


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    return options

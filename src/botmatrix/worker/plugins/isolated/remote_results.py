"""What becomes of what a plugin in a process of its own asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from botmatrix.errors import BotMatrixError


class NotHere(BotMatrixError):
    """Something that a plugin in a process of its own does not have."""


class Result(NamedTuple):
    """How an action ended (`sdk.services.ActionResult`)."""

    state: str
    retcode: int = 0
    data: bytes = b"null"
    message: str = ""


def result_of(told: Mapping[str, Any]) -> Result:
    """As the worker told it."""
    if told["ok"]:
        return Result("DONE", 0, msgspec.json.encode(told.get("data")))
    state = "UNKNOWN" if told.get("retcode") == 1401 else "FAILED"
    return Result(state, told.get("retcode") or 1400, b"null", told.get("error") or "")

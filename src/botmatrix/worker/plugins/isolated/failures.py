"""What a plugin is told of an action that could not be done."""

from __future__ import annotations

from typing import Any, Final

from botmatrix.errors import ActionFailed, ActionUnknown, SkillFailed
from botmatrix.worker.plugins.isolated.broker import Refused
from botmatrix.worker.plugins.isolated.exchange import PluginError
from botmatrix.worker.plugins.isolated.storage import Full

FAILURES: Final = (Refused, ActionFailed, ActionUnknown, Full, PluginError, SkillFailed)


def failure(error: Exception) -> dict[str, Any]:
    """The answer, with OneBot's `retcode`: 1403 not granted, 1401 it may have happened, 1400 what has no other."""
    told: dict[str, Any] = {"ok": False, "error": str(error), "retcode": 1400, "data": None, "value": None}
    if isinstance(error, ActionFailed):
        return {**told, "error": error.message, "retcode": error.retcode}
    if isinstance(error, Refused):
        return {**told, "retcode": 1403}
    return {**told, "retcode": 1401} if isinstance(error, ActionUnknown) else told

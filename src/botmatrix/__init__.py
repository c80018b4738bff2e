"""BotMatrix: a matrix of chat bots behind one hub.

The names of the plugin SDK are here too, loaded when first asked for, so that a nexus never loads them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botmatrix.errors import ActionError, ActionFailed, ActionUnknown, SkillFailed
    from botmatrix.onebot.message import (
        At,
        Face,
        File,
        Forward,
        Image,
        Json,
        Message,
        Node,
        Raw,
        Record,
        Reply,
        Segment,
        Sendable,
        Text,
        Video,
    )
    from botmatrix.sdk.app import App
    from botmatrix.sdk.ask import Answer, AskCancelled, AskEnded, BadAnswer, NoAnswer, TooManyTries
    from botmatrix.sdk.context import Context
    from botmatrix.sdk.perm import Permission
    from botmatrix.sdk.perm import Permission as perm
    from botmatrix.sdk.plugin import Plugin
    from botmatrix.sdk.rate import Rate, rate
    from botmatrix.sdk.retry import Retry
    from botmatrix.sdk.running import RunCrashed
    from botmatrix.sdk.session import Heard, Session
    from botmatrix.sdk.store import Store

__all__ = [
    "ActionError",
    "ActionFailed",
    "ActionUnknown",
    "Answer",
    "App",
    "AskCancelled",
    "AskEnded",
    "At",
    "BadAnswer",
    "Context",
    "Face",
    "File",
    "Forward",
    "Heard",
    "Image",
    "Json",
    "Message",
    "NoAnswer",
    "Node",
    "Permission",
    "Plugin",
    "Rate",
    "Raw",
    "Record",
    "Reply",
    "Retry",
    "RunCrashed",
    "Segment",
    "Sendable",
    "Session",
    "SkillFailed",
    "Store",
    "Text",
    "TooManyTries",
    "Video",
    "perm",
    "rate",
]

_HOMES = {
    "botmatrix.errors": ("ActionError", "ActionFailed", "ActionUnknown", "SkillFailed"),
    "botmatrix.onebot.message": (
        *("At", "Face", "File", "Forward", "Image", "Json", "Message", "Node", "Raw", "Record", "Reply"),
        *("Segment", "Sendable", "Text", "Video"),
    ),
    "botmatrix.sdk.app": ("App",),
    "botmatrix.sdk.ask": ("Answer", "AskCancelled", "AskEnded", "BadAnswer", "NoAnswer", "TooManyTries"),
    "botmatrix.sdk.context": ("Context",),
    "botmatrix.sdk.perm": ("Permission",),
    "botmatrix.sdk.plugin": ("Plugin",),
    "botmatrix.sdk.rate": ("Rate", "rate"),
    "botmatrix.sdk.retry": ("Retry",),
    "botmatrix.sdk.running": ("RunCrashed",),
    "botmatrix.sdk.session": ("Heard", "Session"),
    "botmatrix.sdk.store": ("Store",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "perm":
        return __getattr__("Permission")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

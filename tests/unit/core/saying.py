"""Events that say something."""

from __future__ import annotations

import json
from typing import Any

from botmatrix.onebot.event import Event


def event(message: Any = "hello", *, user: str = "7", group: str = "456", post: str = "message", **more: Any) -> Event:
    """An event of a group, or of a private chat when `group` is empty."""
    body = {"post_type": post, "message": message, "raw_message": message if isinstance(message, str) else "", **more}
    kind = "group" if group else "private"
    return Event(post, kind, "", "10001", user, group, "1", 0, json.dumps(body).encode())


def text(*parts: str) -> list[dict[str, Any]]:
    """A message of text segments."""
    return [{"type": "text", "data": {"text": part}} for part in parts]

"""Who speaks where, and what is asked of bots: what a handler and an `App` have in common."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec

from botmatrix.errors import ActionFailed, ActionUnknown
from botmatrix.onebot.message import Message, Sendable
from botmatrix.sdk.address import Address
from botmatrix.sdk.services import ActionResult

encode = msgspec.json.Encoder(enc_hook=str).encode
REFUSED = 1403
"""Retcode of the hub's own: the plugin may not do that."""
_SENDS = frozenset({"send_msg", "send_group_msg", "send_private_msg"})
_NOT_SENT = {
    "EXPIRED": (1400, "not sent in time"),
    "OFFLINE": (1400, "the bot is offline"),
    "NOBOT": (1404, "there is no such bot"),
}


def is_granted(action: str, grants: Collection[str]) -> bool:
    """Whether a plugin with these permissions may have a bot do this."""
    return "*" in grants or action in grants or (action in _SENDS and not _SENDS.isdisjoint(grants))


def refusal(action: str) -> ActionFailed:
    """What is raised in a plugin that may not."""
    cure = f'Plugin(permissions=["{action}"]) asks for it, and an administrator may have to grant it'
    return ActionFailed(REFUSED, f"not permitted: {cure}", action)


def answer(result: ActionResult, action: str) -> Any:
    """The `data` of an action that succeeded. Raises `ActionFailed`, `ActionUnknown`."""
    if result.state == "DONE":
        return msgspec.json.decode(result.data) if result.data else None
    if result.state == "FAILED":
        raise ActionFailed(result.retcode, result.message, action)
    if result.state in _NOT_SENT:
        retcode, why = _NOT_SENT[result.state]
        raise ActionFailed(retcode, result.message or why, action)
    raise ActionUnknown(action, result.message)


def array(message: Sendable) -> list[dict[str, Any]]:
    """Always an array: a string could be read as CQ codes by the bot."""
    if not message:
        raise ValueError("an empty message can't be sent")
    if type(message) is str:
        return [{"type": "text", "data": {"text": message}}]
    return (message if type(message) is Message else Message(message)).to_array()


def target(there: Address, *, numeric: bool) -> dict[str, Any]:
    """Where a message goes, in the words of `send_msg`."""
    name = "group_id" if there.kind == "group" else "user_id"
    return {"message_type": there.kind, name: native(there.id, numeric=numeric)}


def native(id: str, *, numeric: bool) -> int | str:
    """An id as bots write ids: a number, unless the bot itself sends strings."""
    return int(id) if numeric and id.isascii() and id.removeprefix("-").isdecimal() and len(id) < 20 else id


def text(value: object) -> str:
    """An id in words; empty when there is none."""
    return "" if value is None else str(value)

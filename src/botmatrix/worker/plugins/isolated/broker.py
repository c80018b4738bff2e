"""What an isolated plugin may do: its actions in the bots' words, or the reason why not. The host decides, alone."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from botmatrix.worker.plugins.isolated.lines import Action

ACTION = r"^[a-z][a-z0-9_]{0,63}$"
_ACTION = re.compile(ACTION)
_SENDS = frozenset({"send_message", "reply", "send_image", "send_msg", "send_group_msg", "send_private_msg"})
_NAMES = {"delete_message": "delete_msg", "kick_user": "set_group_kick", "mute_user": "set_group_ban"}
_IDS = ("user_id", "group_id", "message_id")


class Refused(Exception):
    """An action that is not done; says why."""


class Here(NamedTuple):
    """Where the event happened. `numeric`: its bot writes ids as numbers."""

    bot: str
    user_id: str
    group_id: str
    numeric: bool


class Broker:
    """Lets through what is granted. Answering where the event happened needs no grant."""

    def __init__(self, wanted: Collection[str], granted: Collection[str] | None = None) -> None:
        """`wanted` by the manifest; `granted` by the administrator, None: whatever is wanted."""
        names = {_onebot(name) for name in wanted}
        if granted is not None and "*" not in granted:
            allowed = {_onebot(name) for name in granted}
            names = allowed if "*" in names else names & allowed
        self._granted = names

    def allows(self, action: str) -> bool:
        """Whether an action, by either of its names, is granted."""
        return "*" in self._granted or _onebot(action) in self._granted

    def translated(self, action: Action, here: Here) -> tuple[str, dict[str, Any]]:
        """The OneBot action and its parameters. Raises `Refused`."""
        params = dict(action.params)
        self._check_bot(params, here)
        if action.type in _SENDS:
            return self._send(action, params, here)
        name = _onebot(action.type)
        if not _ACTION.fullmatch(name):
            raise Refused(f"{action.type[:64]!r} is no action")
        self._check(action.type)
        if action.target and "user_id" not in params:
            params["user_id"] = action.target
        if action.target_id and "group_id" not in params:
            params["group_id"] = action.target_id
        return name, _native(params, here)

    def _check(self, action: str) -> None:
        if not self.allows(action):
            raise Refused(f"{action} is not granted")

    def _check_bot(self, params: dict[str, Any], here: Here) -> None:
        platform, _, self_id = here.bot.partition(":")
        if str(params.pop("self_id", self_id)) != self_id or str(params.pop("platform", platform)).lower() != platform:
            raise Refused("another bot than the event's can't be commanded")

    def _send(self, action: Action, params: dict[str, Any], here: Here) -> tuple[str, dict[str, Any]]:
        group, user = _where(action, params)
        there = {"message_type": "group", "group_id": group} if group else {"message_type": "private", "user_id": user}
        own = group == here.group_id if group else not here.group_id and user == here.user_id
        if not own:
            self._check("send_msg")
        extra = {key: params[key] for key in ("auto_escape",) if key in params}
        return "send_msg", _native({**there, **extra, "message": _message(action, params)}, here)


def _where(action: Action, params: Mapping[str, Any]) -> tuple[str, str]:
    """Group, or else person, that shall read it."""
    kind = params.get("message_type") or {"send_group_msg": "group", "send_private_msg": "private"}.get(action.type)
    group = "" if kind == "private" else str(params.get("group_id") or action.target_id or "")
    user = str(params.get("user_id") or action.target or "")
    if not group and not user:
        raise Refused("it says to nobody: give group_id or user_id")
    return group, user


def _message(action: Action, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Always an array: words of people must not be read as CQ codes."""
    if action.type == "send_image":
        source = params.get("url") or params.get("file") or action.text
        if not isinstance(source, str) or not source:
            raise Refused("send_image needs url")
        return [{"type": "image", "data": {"file": source}}]
    message = params.get("message")
    if isinstance(message, list) and all(isinstance(part, dict) and "type" in part for part in message) and message:
        return message
    text = message if isinstance(message, str) else action.text
    if not text:
        raise Refused("an empty message can't be sent")
    return [{"type": "text", "data": {"text": text}}]


def _native(params: dict[str, Any], here: Here) -> dict[str, Any]:
    """Ids as this bot writes them."""
    for name in _IDS if here.numeric else ():
        value = params.get(name)
        if isinstance(value, str) and value.isascii() and value.removeprefix("-").isdecimal() and len(value) < 20:
            params[name] = int(value)
    return params


def _onebot(name: str) -> str:
    return "send_msg" if name in _SENDS else _NAMES.get(name, name)

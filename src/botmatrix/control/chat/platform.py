"""A chat platform that is not there: events of its people, and answers to what the bot is asked to do. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec

from botmatrix.control.chat.cast import NICKNAME, Cast
from botmatrix.errors import BotMatrixError
from botmatrix.onebot.message import Message

REMEMBERED: Final = 200
"""Messages that `get_msg` finds."""
LONGEST_TEXT: Final = 4_000
LARGEST_IMAGE: Final = 1_400_000
"""Characters of base64: a megabyte of image."""
_IMAGE: Final = "base64://"
_NOT_FOUND: Final = 1404
_BAD: Final = 1400
_SUFFIXES: Final = ("_async", "_rate_limited")


class BadSaying(BotMatrixError):
    """What was to be said makes no sense here."""


class Part(msgspec.Struct, forbid_unknown_fields=True):
    """One segment that a person can write."""

    type: Literal["text", "at", "image", "face"]
    data: dict[str, str]


class Saying(msgspec.Struct, forbid_unknown_fields=True):
    """A person says something, in a group or (0) in private. `key` comes back with the number of the message."""

    user: int
    message: list[Part]
    group: int = 0
    key: str = ""


class SimulatedPlatform:
    """The platform of one cast. `tell` is given what somebody who watches should see."""

    def __init__(self, cast: Cast, tell: Callable[[dict[str, Any]], None]) -> None:
        self._cast, self._tell = cast, tell
        self._messages: deque[dict[str, Any]] = deque(maxlen=REMEMBERED)
        self._last = 0

    def say(self, saying: Saying, now: float) -> dict[str, Any]:
        """The event of a person who says something. Raises `BadSaying`."""
        name = self._cast.people.get(saying.user)
        if name is None or (saying.group and saying.group not in self._cast.groups):
            raise BadSaying("there is no such person or group here")
        message = [{"type": part.type, "data": self._checked(part)} for part in saying.message]
        if not message:
            raise BadSaying("there is nothing to say")
        sender = {"user_id": saying.user, "nickname": name, "card": "", "role": "member"}
        event = {
            **{"time": int(now), "self_id": self._cast.bot, "post_type": "message", "user_id": saying.user},
            **{"message_id": self._next(), "message": message, "raw_message": Message.parse(message).to_cq()},
            **{"font": 0, "sender": sender, **_where(saying.group)},
        }
        self._messages.append(event)
        self._tell({"type": "heard", "key": saying.key, "message_id": event["message_id"]})
        return event

    def perform(self, request: dict[str, Any], now: float) -> dict[str, Any]:
        """The answer to a request for an action."""
        action = str(request.get("action", ""))
        for suffix in _SUFFIXES:
            action = action.removesuffix(suffix)
        params = request.get("params")
        params = params if isinstance(params, dict) else {}
        if action in _SENDS:
            code, data = self._send(params, now)
        elif (ask := _ASKED.get(action)) is not None:
            data = ask(self, params)
            code = _NOT_FOUND if data is None else 0
        else:
            code, data = self._other(action, params)
        answer = {"status": "failed" if code else "ok", "retcode": code, "data": data}
        return {**answer, "echo": request["echo"]} if "echo" in request else answer

    def _send(self, params: dict[str, Any], now: float) -> tuple[int, Any]:
        group, user = _number(params.get("group_id")), _number(params.get("user_id"))
        if params.get("message_type") == "private":
            group = 0
        if group not in self._cast.groups if group else user not in self._cast.people:
            return _NOT_FOUND, None
        message = Message.parse(params.get("message")).to_array()
        if not message:
            return _BAD, None
        number = self._next()
        sender = {"user_id": self._cast.bot, "nickname": NICKNAME}
        said = {"message_id": number, "message": message, "time": int(now), "sender": sender, **_where(group)}
        self._messages.append(said)
        self._tell({"type": "said", "message_id": number, "group": group, "user": user, "message": message})
        return 0, {"message_id": number}

    def _other(self, action: str, params: dict[str, Any]) -> tuple[int, Any]:
        """Whatever changes something on a real platform: it is shown, and only taking back is done."""
        done = action == "delete_msg" and self._forget(_number(params.get("message_id")))
        self._tell({"type": "did", "action": action[:100], "params": params, "done": done})
        return (0, None) if done else (_NOT_FOUND, None)

    def _forget(self, number: int) -> bool:
        found = self._found(number)
        if found is not None:
            self._messages.remove(found)
        return found is not None

    def _found(self, number: int) -> dict[str, Any] | None:
        return next((one for one in self._messages if one["message_id"] == number), None)

    def _next(self) -> int:
        self._last += 1
        return self._last

    def _checked(self, part: Part) -> dict[str, str]:
        """The data of a segment, nothing but what its kind has. Raises `BadSaying`."""
        data = part.data
        if part.type == "text":
            return {"text": _short(data.get("text", ""), LONGEST_TEXT)}
        if part.type == "face":
            return {"id": _short(data.get("id", ""), 8)}
        if part.type == "image":
            file = _short(data.get("file", ""), LARGEST_IMAGE)
            if not file.startswith(_IMAGE):
                raise BadSaying("an image comes along as base64")
            return {"file": file}
        whom = data.get("qq", "")
        if whom != "all" and _number(whom) not in {self._cast.bot, *self._cast.people}:
            raise BadSaying("there is nobody of this number here")
        return {"qq": whom}

    # What the bot is asked about the world.

    def _login(self, _: dict[str, Any]) -> Any:
        return {"user_id": self._cast.bot, "nickname": NICKNAME}

    def _friends(self, _: dict[str, Any]) -> Any:
        return [{"user_id": user, "nickname": name, "remark": ""} for user, name in self._cast.people.items()]

    def _groups(self, _: dict[str, Any]) -> Any:
        return [self._described(group) for group in self._cast.groups]

    def _group(self, params: dict[str, Any]) -> Any:
        group = _number(params.get("group_id"))
        return self._described(group) if group in self._cast.groups else None

    def _members(self, params: dict[str, Any]) -> Any:
        group = _number(params.get("group_id"))
        if group not in self._cast.groups:
            return None
        bot = _member(group, self._cast.bot, NICKNAME)
        return [bot, *(_member(group, user, name) for user, name in self._cast.people.items())]

    def _one_member(self, params: dict[str, Any]) -> Any:
        user = _number(params.get("user_id"))
        return next((one for one in self._members(params) or () if one["user_id"] == user), None)

    def _stranger(self, params: dict[str, Any]) -> Any:
        user = _number(params.get("user_id"))
        name = self._cast.people.get(user)
        return {"user_id": user, "nickname": name, "sex": "unknown", "age": 0} if name else None

    def _message(self, params: dict[str, Any]) -> Any:
        return self._found(_number(params.get("message_id")))

    def _described(self, group: int) -> dict[str, Any]:
        count = len(self._cast.people) + 1
        name = self._cast.groups[group]
        return {"group_id": group, "group_name": name, "member_count": count, "max_member_count": count}


_SENDS: Final = frozenset({"send_msg", "send_private_msg", "send_group_msg"})
_ASKED: Final[dict[str, Callable[[SimulatedPlatform, dict[str, Any]], Any]]] = {
    "get_login_info": SimulatedPlatform._login,
    "get_friend_list": SimulatedPlatform._friends,
    "get_group_list": SimulatedPlatform._groups,
    "get_group_info": SimulatedPlatform._group,
    "get_group_member_list": SimulatedPlatform._members,
    "get_group_member_info": SimulatedPlatform._one_member,
    "get_stranger_info": SimulatedPlatform._stranger,
    "get_msg": SimulatedPlatform._message,
    "get_status": lambda _, __: {"online": True, "good": True},
    "get_version_info": lambda _, __: {"app_name": "botmatrix-chat", "app_version": "1", "protocol_version": "v11"},
    "can_send_image": lambda _, __: {"yes": True},
    "can_send_record": lambda _, __: {"yes": False},
}


def _where(group: int) -> dict[str, Any]:
    if group:
        return {"message_type": "group", "sub_type": "normal", "group_id": group}
    return {"message_type": "private", "sub_type": "friend"}


def _member(group: int, user: int, name: str) -> dict[str, Any]:
    return {"group_id": group, "user_id": user, "nickname": name, "card": "", "role": "member"}


def _number(value: object) -> int:
    """An id as plugins may write it; 0 for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return 0
    text = str(value)[:20]
    return int(text) if text.isascii() and text.isdigit() else 0


def _short(text: str, longest: int) -> str:
    if not text or len(text) > longest:
        raise BadSaying(f"between 1 and {longest} characters are expected")
    return text

"""What tasks do: parameters checked at the border, filled in from the event, and said in OneBot's words."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from botmatrix.onebot.cq import escape
from botmatrix.tasks.ids import bot_key, id_text, onebot_id
from botmatrix.tasks.model import ActionType, BadTask

MUTE_SECONDS: Final = 1800
LONGEST_MUTE: Final = 30 * 86_400
_LONGEST_MESSAGE: Final = 10_000
_MOST_SEGMENTS: Final = 100
BOT, GROUP, USER, TEXT = "{bot_id}", "{group_id}", "{user_id}", "{text}"
"""What stands for a fact of the event that set a task off."""
_PLACES: Final = re.compile(r"\{(?:bot_id|group_id|user_id|text)\}")
_ALLOWED: Final[Mapping[ActionType, Collection[str]]] = {
    ActionType.SEND_MESSAGE: ("bot_id", "group_id", "user_id", "message"),
    ActionType.MUTE_GROUP: ("bot_id", "group_id", "user_id", "duration"),
    ActionType.UNMUTE_GROUP: ("bot_id", "group_id", "user_id"),
}


@dataclass(frozen=True, slots=True)
class Place:
    """What an action may take from elsewhere: an event that sets it off (`of_event`), or tags (`of_tags`)."""

    of_event: bool = False
    of_tags: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Of the event that set a task off. `bot`: `platform:self_id`; ids are `""` when it has none."""

    bot: str
    group_id: str = ""
    user_id: str = ""
    text: str = ""


def checked(action: ActionType, params: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """The parameters in one form. Raises `BadTask`."""
    if action is ActionType.SKILL_CALL:
        return _skill_call(params, place)
    if unknown := set(params) - set(_ALLOWED[action]):
        raise BadTask(f"action_params: {min(unknown)!r} is unknown; {action} takes {', '.join(_ALLOWED[action])}")
    given = {name: value for name, value in params.items() if value not in (None, "")}
    found: dict[str, Any] = {"bot_id": _bot(given, place)}
    if place.of_tags and ("group_id" in given or (action is ActionType.SEND_MESSAGE and "user_id" in given)):
        raise BadTask("action_params: group_id and user_id come from the tags")
    for name in ("group_id", "user_id"):
        if name in given:
            found[name] = _id(name, given[name], place)
    if action is ActionType.SEND_MESSAGE:
        _check_receiver(found, place)
        found["message"] = _message(given.get("message"))
    elif not place.of_tags and not place.of_event and "group_id" not in found:
        raise BadTask("action_params: group_id is needed")
    if action is ActionType.MUTE_GROUP:
        found["duration"] = _duration(given.get("duration", MUTE_SECONDS))
    return found


def filled(action: ActionType, params: Mapping[str, Any], facts: Facts, place: Place) -> dict[str, Any]:
    """The parameters with what they take from the event; where nobody is named, it is done where the event was."""
    values = {BOT: facts.bot, GROUP: facts.group_id, USER: facts.user_id}
    if action is ActionType.SKILL_CALL:
        values[TEXT] = facts.text
    found = {name: _replaced(value, values) for name, value in params.items()}
    if isinstance(message := params.get("message"), str) and action is ActionType.SEND_MESSAGE:
        # With CQ codes: what an id holds must not become one.
        found["message"] = _put(message, {name: escape(value) for name, value in values.items()})
    if place.of_tags or action is ActionType.SKILL_CALL:
        return found
    return {**_where(action, facts), **found} if not _names_receiver(action, params) else found


def needs_event(action: ActionType, params: Mapping[str, Any], place: Place) -> bool:
    """Whether the action can't be done without an event that sets it off."""
    one, other = Facts("1", "1", "1", "1"), Facts("2", "2", "2", "2")
    return place.of_event and filled(action, params, one, place) != filled(action, params, other, place)


def request(action: ActionType, params: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The OneBot action and its parameters. Raises `BadTask` when a group or person is missing."""
    ids = {name: onebot_id(str(params[name])) for name in ("group_id", "user_id") if params.get(name)}
    if action is ActionType.SEND_MESSAGE:
        if not ids:
            raise BadTask("the event names no group and nobody to send it to")
        kind = "group" if "group_id" in ids else "private"
        return f"send_{kind}_msg", {**ids, "message": params["message"]}
    if "group_id" not in ids:
        raise BadTask("the event was in no group")
    mute = action is ActionType.MUTE_GROUP
    if "user_id" in ids:
        return "set_group_ban", {**ids, "duration": params["duration"] if mute else 0}
    return "set_group_whole_ban", {**ids, "enable": mute}


def _skill_call(params: Mapping[str, Any], place: Place) -> dict[str, Any]:
    skill = params.get("skill")
    if not isinstance(skill, str) or not skill or len(skill) > 64 or not skill.isprintable():
        raise BadTask("action_params: skill names the skill to call")
    if place.of_tags:
        raise BadTask("tags: a skill is called for nobody in particular")
    return dict(params)


def _bot(given: Mapping[str, Any], place: Place) -> str:
    value = given.get("bot_id")
    if place.of_event and value in (None, BOT):
        if place.of_tags:
            raise BadTask("action_params: with tags, bot_id says whose groups and friends they are")
        return BOT
    if value is None:
        raise BadTask("action_params: bot_id is needed, as in qq:10001")
    return bot_key(value)


def _id(name: str, value: Any, place: Place) -> str:
    if place.of_event and value in (GROUP, USER):
        return str(value)
    if _PLACES.search(str(value)):
        raise BadTask(f"{name}: only a condition has an event that it could come from, as {GROUP} or {USER}")
    return id_text(name, value)


def _check_receiver(found: Mapping[str, Any], place: Place) -> None:
    if "group_id" in found and "user_id" in found:
        raise BadTask("action_params: group_id or user_id, not both")
    if not (place.of_tags or place.of_event or "group_id" in found or "user_id" in found):
        raise BadTask("action_params: group_id or user_id is needed")


def _message(value: Any) -> Any:
    if isinstance(value, str) and 0 < len(value) <= _LONGEST_MESSAGE:
        return value
    if isinstance(value, list) and 0 < len(value) <= _MOST_SEGMENTS and all(map(_is_segment, value)):
        return value
    raise BadTask(f"message: must be text of 1 to {_LONGEST_MESSAGE} characters, or a list of segments")


def _is_segment(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("type"), str)
        and isinstance(value.get("data", {}), dict)
        and not set(value) - {"type", "data"}
    )


def _duration(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= LONGEST_MUTE:
        raise BadTask(f"duration: must be seconds, 1 to {LONGEST_MUTE}")
    return value


def _names_receiver(action: ActionType, params: Mapping[str, Any]) -> bool:
    return "group_id" in params or (action is ActionType.SEND_MESSAGE and "user_id" in params)


def _where(action: ActionType, facts: Facts) -> dict[str, str]:
    if facts.group_id:
        return {"group_id": facts.group_id}
    return {"user_id": facts.user_id} if action is ActionType.SEND_MESSAGE else {}


def _replaced(value: Any, values: Mapping[str, str]) -> Any:
    """A copy with facts in every text."""
    if isinstance(value, str):
        return _put(value, values)
    if isinstance(value, list):
        return [_replaced(one, values) for one in value]
    if isinstance(value, dict):
        return {name: _replaced(one, values) for name, one in value.items()}
    return value


def _put(text: str, values: Mapping[str, str]) -> str:
    """The text with facts in their places; what a fact holds is not read again."""
    return _PLACES.sub(lambda found: values.get(found[0], found[0]), text)

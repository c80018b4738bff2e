"""What old workers speak over their socket: flat OneBot 11 with text ids in, and one of five things back.

They were written for an earlier hub; the order in which their frames are told apart is the one that they rely on
(docs/wire.md): a registration, a request, a skill's result, a passive reply, and anything else is a sign that an
event was handled.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from botmatrix.errors import BadFrame
from botmatrix.onebot.lenient import load_object
from botmatrix.onebot.serving import MAX_ECHO

REGISTER: Final = frozenset({"register_capabilities", "update_metadata", "worker_register"})
IDS: Final = ("user_id", "group_id", "self_id", "message_id", "target_id", "operator_id", "sender_id")


class Registered(Struct, gc=False, frozen=True):
    """What the worker can do, as it says: capabilities that are objects with a name; the rest is left out."""

    capabilities: list[dict[str, Any]]


class Request(Struct, gc=False, frozen=True):
    """An action. `self_id`, `group_id`: text, `""` when it names none; `echo`: JSON as written, empty for none."""

    action: str
    params: bytes
    echo: bytes
    self_id: str
    group_id: str
    platform: str


class SkillResult(Struct, gc=False, frozen=True):
    """A skill's result, as it came."""

    fields: dict[str, Any]


class Handled(Struct, gc=False, frozen=True):
    """The event that was sent with this echo is handled."""

    echo: str


_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode

Said = Registered | Request | SkillResult | Handled


def read_frame(payload: bytes) -> Said:
    """Read one frame of an old worker. Raises `BadFrame` (those of `load_object`, `bad_echo`, `no_reply`)."""
    fields = load_object(payload)
    kind, action = _text(fields.get("type")), _text(fields.get("action"))
    if kind in REGISTER and isinstance(fields.get("capabilities"), list):
        return Registered([one for one in fields["capabilities"] if _is_named(one)])
    if action or (fields.get("echo") not in (None, "") and not kind and not fields.get("reply")):
        return _request(action, fields)
    if kind == "skill_result":
        return SkillResult(fields)
    if fields.get("reply"):
        return _passive_reply(fields)
    return Handled(_text(fields.get("echo")))


def event_frame(raw: bytes, platform: str, self_id: str, echo: str) -> bytes:
    """The event for an old worker: every id is text, `platform`, `self_id` and an echo are there."""
    fields: dict[str, Any] = _decode_fields(raw)
    for name in IDS:
        if name in fields:
            fields[name] = _as_text(fields[name])
    fields |= {"platform": platform, "self_id": self_id}
    fields.setdefault("echo", echo)
    return msgspec.json.encode(fields)


def failure_frame(retcode: int, words: str, echo: bytes) -> bytes:
    """The hub's own answer when the bot can't give one, in the words that old workers read."""
    shape = b'{"status":"failed","retcode":%d,"msg":%b,"echo":%b,"data":null}'
    return shape % (retcode, msgspec.json.encode(words), echo)


def _request(action: str, fields: dict[str, Any]) -> Request:
    params = fields.get("params")
    params = params if isinstance(params, dict) else {}
    echo = b"" if fields.get("echo") in (None, "") else msgspec.json.encode(fields["echo"])
    if len(echo) > MAX_ECHO:
        raise BadFrame("bad_echo")
    return Request(
        action=action,
        params=msgspec.json.encode(params),
        echo=echo,
        self_id=_id(fields.get("self_id") or params.get("self_id") or fields.get("bot_id")),
        group_id=_id(params.get("group_id")),
        platform=_text(fields.get("platform") or params.get("platform")).lower(),
    )


def _passive_reply(fields: dict[str, Any]) -> Request:
    """Every other field becomes a parameter, as the earlier hub did it; nobody waits for its answer."""
    params = {name: value for name, value in fields.items() if name not in ("reply", "echo", "type")}
    params["message"] = fields["reply"]
    return _request("send_msg", {"params": params})


def _as_text(value: Raw) -> Raw:
    written = bytes(value)
    return value if written[:1] in b'"nft{[' else Raw(b'"%b"' % written)


def _id(value: object) -> str:
    return str(value) if isinstance(value, str) or type(value) is int else ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _is_named(capability: object) -> bool:
    return isinstance(capability, dict) and isinstance(capability.get("name"), str) and bool(capability["name"])

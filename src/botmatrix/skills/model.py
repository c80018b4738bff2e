"""What the parts say to one another about skills: capabilities, calls, results, and the states of an execution."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from botmatrix.errors import BotMatrixError
from botmatrix.skills.matching import present_id

OWN_PARAMS = ("skill", "worker_id")
"""Names in the parameters of a call that are no parameters of the skill: what is called, and on which worker."""


class BadParams(BotMatrixError, ValueError):
    """Parameters that do not fit a skill; says which and why."""


class State(StrEnum):
    """Where an execution stands. The last three are final."""

    PENDING = "pending"
    DISPATCHING = "dispatching"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    DEAD = "dead"


OPEN = (State.PENDING, State.DISPATCHING, State.RUNNING)
DECLINED = "declined"
"""Status of a result: the worker did not execute the call, another one may."""


class Capability(msgspec.Struct, frozen=True, omit_defaults=True):
    """One skill as its worker reports it.

    `params`: name -> description, for people and older hubs; `schema`: JSON Schema of the parameters, an object.
    `regex`: what somebody writes to mean it (RE2). `permission`: who may use it (`permission.py`).
    """

    name: str
    description: str = ""
    usage: str = ""
    params: dict[str, str] = {}
    regex: str = ""
    schema: dict[str, Any] = {}
    permission: str = ""


class SkillCall(msgspec.Struct, frozen=True, kw_only=True):
    """A skill is to be executed. `timestamp`: unix s; `deadline`: unix s after which nobody waits, 0: there is none.

    `attempt`: how often it was on a lane before; the result says the same.
    """

    skill: str
    params: dict[str, Any] = {}
    task_id: str | int = ""
    execution_id: str = ""
    timestamp: float = 0
    deadline: float = 0
    attempt: int = 0
    type: str = "skill_call"


class SkillAsk(msgspec.Struct, frozen=True):
    """A plugin calls a skill. `deadline`: unix s after which it has failed; `caller`: who, for people."""

    execution_id: str
    skill: str
    params: dict[str, Any]
    deadline: float
    caller: str = ""


class SkillAnswer(msgspec.Struct, frozen=True):
    """What came of it: `success` or `failed`; without a status, it ended and must be looked up."""

    execution_id: str
    status: str = ""
    result: str = ""
    error: str = ""
    worker_id: str = ""


class SkillResult(msgspec.Struct, frozen=True, kw_only=True):
    """How an execution went. `status`: `declined`, `failed`; anything else is success. Ids may come as numbers."""

    worker_id: str = ""
    task_id: str | int | None = None
    execution_id: str | int | None = None
    skill: str = ""
    status: str = State.SUCCESS.value
    result: Any = ""
    error: str = ""
    timestamp: float = 0
    attempt: int = -1
    """Which attempt of the execution this ends; -1 from workers that don't say."""
    type: str = "skill_result"

    @property
    def execution(self) -> str:
        """The execution that it names; empty when it names none."""
        return present_id(self.execution_id)

    @property
    def task(self) -> str:
        """The task that it names; empty when it names none."""
        return present_id(self.task_id)

    @property
    def state(self) -> State:
        """What the execution is now, unless the call was declined."""
        return State.FAILED if self.status == State.FAILED else State.SUCCESS

    @property
    def declined(self) -> bool:
        """Whether the call was not executed."""
        return self.status == DECLINED

    @property
    def text(self) -> str:
        """The result in words: text as it is, anything else as JSON."""
        return self.result if isinstance(self.result, str) else msgspec.json.encode(self.result).decode()


_call = msgspec.json.Decoder(SkillCall)
_result = msgspec.json.Decoder(SkillResult, strict=False)
_ask = msgspec.json.Decoder(SkillAsk)
_answer = msgspec.json.Decoder(SkillAnswer)
_answers = msgspec.json.Decoder(list[SkillAnswer])
_encoder = msgspec.json.Encoder()
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def encode(value: SkillCall | SkillResult | SkillAsk | SkillAnswer | list[SkillAnswer] | list[Capability]) -> bytes:
    """The JSON that travels."""
    return _encoder.encode(value)


def decode_call(payload: bytes) -> SkillCall | None:
    """Read an entry of a lane as a call; None when it is none."""
    try:
        call = _call.decode(payload)
    except _UNREADABLE:
        return None
    return call if call.type == "skill_call" else None


def decode_result(payload: bytes) -> SkillResult | None:
    """Read what a worker reported; None when it is no result."""
    try:
        result = _result.decode(payload)
    except _UNREADABLE:
        return None
    return result if result.type == "skill_result" else None


def decode_ask(payload: bytes) -> SkillAsk | None:
    """Read what a plugin asks; None when it can't be."""
    try:
        return _ask.decode(payload)
    except _UNREADABLE:
        return None


def decode_answer(payload: bytes) -> SkillAnswer | None:
    """Read what came of it; None when it can't be."""
    try:
        return _answer.decode(payload)
    except _UNREADABLE:
        return None


def decode_answers(payload: bytes) -> list[SkillAnswer]:
    """Read what came of several; nothing when it can't be."""
    try:
        return _answers.decode(payload)
    except _UNREADABLE:
        return []


def decode_capabilities(text: bytes | str) -> list[Capability]:
    """What a worker says it can do; nothing when it can't be read."""
    try:
        return msgspec.json.decode(text, type=list[Capability]) if text else []
    except _UNREADABLE:
        return []


def answer(call: SkillCall, worker_id: str, status: str, now: float, *, result: Any = "", error: str = "") -> bytes:
    """The result of a call, as a worker reports it. `now`: unix s."""
    return encode(
        SkillResult(
            worker_id=worker_id,
            task_id=str(call.task_id),
            execution_id=call.execution_id,
            skill=call.skill,
            status=status,
            result=result,
            error=error,
            timestamp=now,
            attempt=call.attempt,
        )
    )

"""The words of tasks."""

from __future__ import annotations

from enum import StrEnum

from botmatrix.errors import BotMatrixError


class BadTask(BotMatrixError):
    """A task can't be as it is described; says which field, and what was expected."""


class TaskType(StrEnum):
    """What sets a task off."""

    ONCE = "once"
    DELAYED = "delayed"
    CRON = "cron"
    CONDITION = "condition"


class ActionType(StrEnum):
    """What a task does."""

    SEND_MESSAGE = "send_message"
    MUTE_GROUP = "mute_group"
    UNMUTE_GROUP = "unmute_group"
    SKILL_CALL = "skill_call"


class TaskStatus(StrEnum):
    """`pending`: it will be set off. `disabled`: paused. `completed`: it had its only time."""

    PENDING = "pending"
    DISABLED = "disabled"
    COMPLETED = "completed"


class TargetType(StrEnum):
    """What a tag is on."""

    GROUP = "group"
    FRIEND = "friend"

"""One task as somebody described it, checked as a whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from botmatrix.tasks.actions import Place, checked
from botmatrix.tasks.model import ActionType, BadTask, TaskType
from botmatrix.tasks.triggers import Trigger

UTC_ZONE: Final = "UTC"
MAX_RETRIES: Final = 3
RETRY_DELAY: Final = 60.0
TIME_LIMIT: Final = 300.0
MOST_RETRIES: Final = 10
MOST_TAGS: Final = 20
LONGEST_WAIT: Final = 86_400.0
LONGEST_NAME: Final = 64
_LARGEST: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Definition:
    """What a task is. `retry_delay`: s; the n-th retry waits n * n times as long. `time_limit`: s that one try has.

    `tags`: the action is done for every group and friend with one of them.
    """

    name: str
    type: TaskType
    trigger_config: dict[str, Any]
    action_type: ActionType
    action_params: dict[str, Any]
    time_zone: str = UTC_ZONE
    max_retries: int = MAX_RETRIES
    retry_delay: float = RETRY_DELAY
    time_limit: float = TIME_LIMIT
    tags: list[str] = field(default_factory=list)

    @property
    def place(self) -> Place:
        """What its action may take from elsewhere."""
        return Place(of_event=self.type is TaskType.CONDITION, of_tags=bool(self.tags))

    @property
    def trigger(self) -> Trigger:
        """When it is set off. Raises `BadTask`."""
        return Trigger(self.type, self.trigger_config, self.time_zone)

    def checked(self) -> Definition:
        """The same in one form. Raises `BadTask`."""
        name, tags = label("name", self.name), sorted({label("tags", one) for one in self.tags})
        if len(tags) > MOST_TAGS:
            raise BadTask(f"tags: at most {MOST_TAGS}")
        self._check_numbers()
        for what, said in (("trigger_config", self.trigger_config), ("action_params", self.action_params)):
            _check_storable(what, said)
        return replace(
            self,
            name=name,
            tags=tags,
            trigger_config=self.trigger.config,
            action_params=checked(self.action_type, self.action_params, self.place),
        )

    def _check_numbers(self) -> None:
        if not 0 <= self.max_retries <= MOST_RETRIES:
            raise BadTask(f"max_retries: must be 0 to {MOST_RETRIES}")
        if not 0 < self.retry_delay <= LONGEST_WAIT:
            raise BadTask(f"retry_delay: must be seconds, at most {LONGEST_WAIT:g}")
        if not 0 < self.time_limit <= LONGEST_WAIT:
            raise BadTask(f"time_limit: must be seconds, at most {LONGEST_WAIT:g}")


def label(field: str, text: str) -> str:
    """A name of a task or tag: 1 to 64 visible characters. Raises `BadTask`."""
    text = text.strip()
    if not 0 < len(text) <= LONGEST_NAME or not text.isprintable():
        raise BadTask(f"{field}: must have 1 to {LONGEST_NAME} visible characters")
    return text


def _check_storable(field: str, said: Mapping[str, Any]) -> None:
    try:
        text = json.dumps(said, allow_nan=False, ensure_ascii=False)
        fine = "\\u0000" not in text and len(text.encode()) <= _LARGEST
    except (ValueError, RecursionError):
        fine = False
    if not fine:
        raise BadTask(f"{field}: must be JSON of at most {_LARGEST} bytes, without NUL, NaN and infinity")

"""What a worker answers when a skill of its plugins is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from botmatrix.clock import SystemClock
from botmatrix.skills.model import Capability, SkillCall
from botmatrix.skills.permission import SkillPermission, SkillPermissions
from botmatrix.worker.skills import LARGEST, Executing


class Giving:
    """A skill that gives, or raises, what it was made with."""

    def __init__(self, found: Any) -> None:
        self._found = found
        self.params: dict[str, Any] = {}

    def is_apart(self, name: str) -> bool:
        return False

    def capabilities(self) -> list[Capability]:
        return []

    def permission(self, _name: str, _permissions: SkillPermissions) -> SkillPermission:
        return SkillPermission.PUBLIC

    async def run(self, _name: str, params: Mapping[str, Any], _limit: float) -> Any:
        self.params = dict(params)
        if isinstance(self._found, BaseException):
            raise self._found
        return self._found


async def answered(skills: Giving, **params: Any) -> dict[str, Any]:
    call = SkillCall(skill="give", params=params, task_id=7, execution_id="e", timestamp=0, deadline=0.0, attempt=0)
    return dict(msgspec.json.decode(await Executing("w1", skills, SystemClock()).answer(call)))


@pytest.mark.parametrize(
    ("found", "status"),
    [
        ("晴" * (LARGEST // 3), "success"),
        ("晴" * (LARGEST // 3 + 1), "failed"),  # 3 bytes each
        ({"sky": "晴" * (LARGEST // 3)}, "failed"),
        ({"days": [1, 2]}, "success"),
        (None, "success"),
    ],
)
async def test_a_result_has_so_many_bytes_at_most(found: Any, status: str) -> None:
    said = await answered(Giving(found))
    assert said["status"] == status
    assert ("larger than 256 KiB" in said["error"]) == (status == "failed")


@pytest.mark.parametrize("found", ["\ud800", {"half": "\ud800"}, ValueError("no"), SystemExit(3), KeyError()])
async def test_whatever_a_skill_does_there_is_an_answer(found: Any) -> None:
    said = await answered(Giving(found))
    assert (said["status"], said["execution_id"], said["worker_id"]) == ("failed", "e", "w1")
    assert said["error"]


async def test_what_says_where_it_is_executed_is_no_parameter() -> None:
    skills = Giving("yes")
    assert (await answered(skills, skill="give", worker_id="w1", city="上海"))["result"] == "yes"
    assert skills.params == {"city": "上海"}

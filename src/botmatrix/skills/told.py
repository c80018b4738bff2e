"""A skill as a plugin in a process of its own tells of it: in its `plugin.json`, or when it says hello."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from botmatrix.skills.permission import SkillPermission


class ToldSkill(msgspec.Struct, frozen=True):
    """One skill. `schema`: JSON Schema of its parameters; `permission`: nothing said, those who command the hub."""

    name: Annotated[str, Meta(pattern=r"^\w[\w.\-]{0,63}$")]
    description: Annotated[str, Meta(max_length=2000)] = ""
    regex: Annotated[str, Meta(max_length=500)] = ""
    permission: SkillPermission = SkillPermission.ADMIN
    schema: dict[str, Any] = {}
    timeout: Annotated[float, Meta(gt=0, le=3600)] = 60.0

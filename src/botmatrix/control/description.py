"""The description of the interface (`/openapi.json`): the routes, and an operation for each skill there is now."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from botmatrix.bus.client import ReplyError
from botmatrix.control.auth import identify
from botmatrix.control.errors import ApiError
from botmatrix.control.parts import Parts, UsedParts
from botmatrix.control.skill_access import sees
from botmatrix.errors import EngineUnavailable
from botmatrix.skills.model import Capability
from botmatrix.skills.permission import SkillPermission
from botmatrix.store.tables import Role

router = APIRouter()
NAME = re.compile(r"\w[\w.\-]{0,63}")
_CALL = "/api/skills/{name}/call"


@router.get("/openapi.json", include_in_schema=False)
async def describe(request: Request, parts: UsedParts) -> JSONResponse:
    """Skills that who asks may not see are left out; to those who did not log in, all that are not public."""
    whole: dict[str, Any] = request.app.openapi()
    if root := request.scope.get("root_path", ""):
        whole = {**whole, "servers": [{"url": root}]}
    skills = await _skills(request, parts)
    if skills:
        general = whole["paths"][_CALL]["post"]
        own = {_CALL.format(name=one.name): {"post": operation(general, one)} for one in skills}
        whole = {**whole, "paths": {**whole["paths"], **own}}
    return JSONResponse(whole)


def operation(general: dict[str, Any], skill: Capability) -> dict[str, Any]:
    """Calling one skill: the general operation with the skill's own words and parameters."""
    body: dict[str, Any] = {
        "type": "object",
        "properties": {
            "params": _without_outside(skill.schema),
            "wait": {"type": "boolean", "default": True},
            "timeout": {"type": "number", "minimum": 0.1, "maximum": 120, "default": 30.0},
            "limit": {"type": "number", "minimum": 0.1, "maximum": 86_400, "default": 300.0},
        },
        "required": ["params"] if skill.schema.get("required") else [],
    }
    return {
        **general,
        "summary": skill.description or skill.name,
        "description": skill.usage,
        "operationId": f"skill_{skill.name}",
        "parameters": [],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
    }


async def _skills(request: Request, parts: Parts) -> list[Capability]:
    if parts.skills is None:
        return []
    role = await _role(request, parts)
    try:
        found = await parts.skills.skills()
    except (EngineUnavailable, ReplyError):
        return []
    permissions = parts.permissions()
    shown = []
    for one, _workers in found.values():
        if not NAME.fullmatch(one.name):
            continue
        permission = permissions.of(one.name, one.permission)
        if permission is SkillPermission.PUBLIC or (role is not None and sees(permission, role)):
            shown.append(one)
    return shown


async def _role(request: Request, parts: Parts) -> Role | None:
    """The role of who asks; None of somebody who did not log in."""
    try:
        return (await identify(request, parts)).role
    except (ApiError, EngineUnavailable):
        return None


def _without_outside(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema that refers to something is shown as an object, no more: references would lead out of its place."""
    return {"type": "object"} if "$ref" in str(schema) else schema

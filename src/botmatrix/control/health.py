"""Alive, ready: what load balancers and people look at first. Needs no login."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Final, Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from botmatrix.bus.client import ReplyError
from botmatrix.control.fields import flag, number
from botmatrix.control.parts import PART, Parts, UsedParts
from botmatrix.errors import BotMatrixError

TIME_LIMIT: Final = 1.0
"""Seconds that one check may take."""

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """This process serves requests."""

    success: Literal[True] = True
    status: Literal["alive"] = "alive"
    started_at: float


class Check(BaseModel):
    """One thing that must be up. `reason` is empty while it is."""

    ok: bool
    reason: str = ""


class Part(BaseModel):
    """One process of the matrix. `started_at`: unix seconds, 0 when it did not say; `skills`: it has them on."""

    part: str
    id: str
    alive: bool
    started_at: float
    skills: bool


class Readiness(BaseModel):
    """Whether the matrix can do its work, and why not."""

    success: bool
    ready: bool
    error: str = ""
    message: str = ""
    checks: dict[str, Check]
    parts: list[Part]
    warnings: list[str]


@router.get("/healthz")
async def healthz(parts: UsedParts) -> Alive:
    """Alive; asks no engine."""
    return Alive(started_at=parts.started_at)


@router.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness, "description": "Not ready"}})
async def readyz(parts: UsedParts) -> JSONResponse:
    """200 when the engines and a gateway are up, else 503 with the reason of each."""
    seen = _Seen()
    names = ("postgresql", "redis", "gateway")
    results = await asyncio.gather(
        _checked(parts, lambda: _database(parts)),
        _checked(parts, parts.presence.ping),
        _checked(parts, lambda: _gateway(parts, seen)),
    )
    checks = dict(zip(names, results, strict=True))
    body = _readiness(parts, checks, seen)
    return JSONResponse(body.model_dump(), 200 if body.ready else 503)


class NotReady(BotMatrixError):
    """Something must happen before work can be done: says what."""


class _Seen:
    """What the parts say of themselves."""

    def __init__(self) -> None:
        self.nexuses: list[dict[str, str]] = []
        self.workers: list[dict[str, str]] = []


async def _checked(parts: Parts, ask: Callable[[], Coroutine[None, None, None]]) -> Check:
    task = asyncio.create_task(ask(), name="check")
    done, _ = await asyncio.wait({task}, timeout=TIME_LIMIT)
    if not done:
        # A driver may take seconds to give up a connection: the answer does not wait for that.
        parts.let_end(task)
        return Check(ok=False, reason=f"no answer within {TIME_LIMIT:g} s")
    error = task.exception()
    if isinstance(error, BotMatrixError | ReplyError):
        return Check(ok=False, reason=str(error))
    await task
    return Check(ok=True)


async def _database(parts: Parts) -> None:
    await parts.database.ping()
    parts.require_schema()


async def _gateway(parts: Parts, seen: _Seen) -> None:
    seen.nexuses = await parts.presence.nexuses()
    seen.workers = await parts.presence.workers()
    if not any(flag(one["alive"]) for one in seen.nexuses):
        raise NotReady("no nexus is running: start `botmatrix nexus` (or `botmatrix up`)")


def _readiness(parts: Parts, checks: dict[str, Check], seen: _Seen) -> Readiness:
    ready = all(check.ok for check in checks.values())
    reasons = [f"{name}: {check.reason}" for name, check in checks.items() if not check.ok]
    return Readiness(
        success=ready,
        ready=ready,
        error="" if ready else "not_ready",
        message="; ".join(reasons),
        checks=checks,
        parts=_parts(parts, seen),
        warnings=_warnings(parts, seen),
    )


def _parts(parts: Parts, seen: _Seen) -> list[Part]:
    control = Part(part=PART, id=PART, alive=True, started_at=parts.started_at, skills=parts.settings.enable_skill)
    nexuses = [_part("nexus", one["inc"], one, flag(one["alive"])) for one in seen.nexuses]
    workers = [_part("worker", one["id"], one, True) for one in seen.workers]
    return [control, *nexuses, *workers]


def _part(kind: str, name: str, fields: dict[str, str], alive: bool) -> Part:
    skills = flag(fields.get("enable_skill", "false"))
    return Part(part=kind, id=name, alive=alive, started_at=number(fields.get("started")), skills=skills)


def _warnings(parts: Parts, seen: _Seen) -> list[str]:
    """What works but not as a person would expect."""
    warnings = []
    said = {PART: parts.settings.enable_skill}
    said |= {one["inc"]: flag(one["enable_skill"]) for one in seen.nexuses if _says(one)}
    said |= {one["id"]: flag(one["enable_skill"]) for one in seen.workers if "enable_skill" in one}
    if len(set(said.values())) > 1:
        on = ", ".join(sorted(name for name, value in said.items() if value))
        off = ", ".join(sorted(name for name, value in said.items() if not value))
        warnings.append(f"enable_skill differs: on in {on}; off in {off}. Give all parts the same value")
    if not seen.workers:
        warnings.append("no worker is running: events wait until one comes")
    return warnings


def _says(nexus: dict[str, str]) -> bool:
    return flag(nexus["alive"]) and "enable_skill" in nexus

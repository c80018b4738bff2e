"""Every error leaves in one shape: `{"success": false, "error": CODE, "message": TEXT}`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match

from botmatrix.bus.client import ReplyError
from botmatrix.bus.hot_values import BadHotValues
from botmatrix.control.fetch import CantFetch
from botmatrix.control.rules import UnknownRule
from botmatrix.control.shelf import PackageInUse
from botmatrix.control.skill_access import NotPermitted
from botmatrix.control.tasks import NeedsEvent, UnknownExecution
from botmatrix.core.config import BadCoreConfig
from botmatrix.core.plugins import BadPlugins, NothingBefore
from botmatrix.core.wording import problem_of
from botmatrix.errors import ConfigError, EngineUnavailable
from botmatrix.packaging.package import BadPackage
from botmatrix.routing.groups import BadGroupPolicies
from botmatrix.routing.rule import BadRule
from botmatrix.skills.model import BadParams
from botmatrix.store.alerts import TooManyAlertRules, UnknownAlertRule
from botmatrix.store.api_keys import TooManyKeys, UnknownKey
from botmatrix.store.bindings import UnknownBinding
from botmatrix.store.logins import UnknownLogin
from botmatrix.store.packages import OtherPackage, TooManyVersions, UnknownPackage
from botmatrix.store.passwords import PasswordsBusy
from botmatrix.store.tasks import TooManyTasks, UnknownTask
from botmatrix.store.text import BadValue
from botmatrix.store.users import AboveYou, LastAdministrator, UnknownUser, UserExists
from botmatrix.tasks.model import BadTask

_LONGEST: Final = 1000
"""Characters of a refusal: it may repeat what was sent."""


class ErrorBody(BaseModel):
    """What went wrong: a code for programs, a text for people."""

    success: Literal[False] = False
    error: str
    message: str


class ApiError(HTTPException):
    """A refusal with its code and words. `retry_after`: seconds, for 429 and 503."""

    def __init__(self, status: int, code: str, message: str, *, retry_after: float = 0.0) -> None:
        headers = {"Retry-After": str(math.ceil(retry_after))} if retry_after else None
        super().__init__(status, message, headers)
        self.code = code


_CODES: Final[Mapping[int, tuple[str, str]]] = {
    400: ("bad_request", "the request can't be understood"),
    401: ("unauthorized", "log in first"),
    403: ("forbidden", "your role does not allow this"),
    404: ("not_found", "there is nothing at this address"),
    405: ("method_not_allowed", "this address does not take this method"),
    409: ("conflict", "this does not fit the present state"),
    413: ("too_large", "the body is larger than 1 MiB"),
    422: ("invalid", "a value does not fit"),
    429: ("too_many_attempts", "too many attempts; Retry-After says when to come back"),
    503: ("engine_unavailable", "an engine can't be reached now; try again"),
    504: ("no_answer", "no answer came in time"),
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may end in these errors; what every route may end in is included."""
    return {
        status: {"model": ErrorBody, "description": _CODES[status][1].capitalize()}
        for status in sorted({400, 413, 422, 503, *statuses})
    }


def protected(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The same for a route that needs a login."""
    return documented(401, 403, *statuses)


def error_response(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """An error in its shape. Text that UTF-8 can't carry is escaped."""
    body = {"success": False, "error": code, "message": message.encode(errors="backslashreplace").decode()}
    return JSONResponse(body, status, headers=headers)


def install(app: FastAPI) -> None:
    """Give every error of `app` its shape."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(EngineUnavailable, _engine)
    app.add_exception_handler(ReplyError, _refused_by_redis)
    app.add_exception_handler(PasswordsBusy, _busy)
    app.add_exception_handler(BadValue, _refusal(422, "invalid"))
    app.add_exception_handler(BadRule, _refusal(422, "invalid"))
    app.add_exception_handler(UnknownRule, _refusal(404, "unknown_rule"))
    app.add_exception_handler(BadParams, _refusal(422, "invalid"))
    app.add_exception_handler(NotPermitted, _refusal(403, "forbidden"))
    app.add_exception_handler(BadTask, _refusal(422, "invalid"))
    app.add_exception_handler(UnknownTask, _refusal(404, "unknown_task"))
    app.add_exception_handler(TooManyTasks, _refusal(409, "too_many_tasks"))
    app.add_exception_handler(NeedsEvent, _refusal(409, "needs_event"))
    app.add_exception_handler(UnknownExecution, _refusal(404, "unknown_execution"))
    app.add_exception_handler(BadCoreConfig, _refusal(422, "invalid"))
    app.add_exception_handler(ConfigError, _refusal(422, "invalid"))
    app.add_exception_handler(BadGroupPolicies, _refusal(422, "invalid"))
    app.add_exception_handler(BadPlugins, _refusal(422, "invalid"))
    app.add_exception_handler(NothingBefore, _refusal(409, "conflict"))
    app.add_exception_handler(BadPackage, _refusal(422, "bad_package"))
    app.add_exception_handler(CantFetch, _refusal(422, "cant_fetch"))
    app.add_exception_handler(UnknownPackage, _refusal(404, "unknown_package"))
    app.add_exception_handler(OtherPackage, _refusal(409, "other_package"))
    app.add_exception_handler(TooManyVersions, _refusal(409, "too_many_versions"))
    app.add_exception_handler(PackageInUse, _refusal(409, "package_in_use"))
    app.add_exception_handler(BadHotValues, _refusal(422, "invalid"))
    app.add_exception_handler(UnknownUser, _refusal(404, "unknown_user"))
    app.add_exception_handler(UserExists, _refusal(409, "user_exists"))
    app.add_exception_handler(AboveYou, _refusal(403, "above_you"))
    app.add_exception_handler(UnknownKey, _refusal(404, "unknown_key"))
    app.add_exception_handler(TooManyKeys, _refusal(409, "too_many_keys"))
    app.add_exception_handler(UnknownAlertRule, _refusal(404, "unknown_alert_rule"))
    app.add_exception_handler(TooManyAlertRules, _refusal(409, "too_many_alert_rules"))
    app.add_exception_handler(UnknownLogin, _refusal(404, "unknown_session"))
    app.add_exception_handler(UnknownBinding, _refusal(404, "unknown_binding"))
    app.add_exception_handler(LastAdministrator, _refusal(409, "last_administrator"))
    app.add_exception_handler(Exception, _unexpected)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    code, words = _CODES.get(error.status_code, ("error", HTTPStatus(error.status_code).phrase))
    if isinstance(error, ApiError):
        code, words = error.code, error.detail
    headers = error.headers
    if error.status_code == 405 and (methods := _methods(request)):
        headers = {"Allow": methods}
    return error_response(error.status_code, code, words, headers)


def _methods(request: Request) -> str:
    """What this address takes; several routes may share it."""
    routes: list[APIRoute] = request.app.state.routes
    found = [route.methods or set() for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return ", ".join(sorted(set().union(*found)))


async def _validation(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only
    # The input itself is not repeated: it may be a password.
    problems = [f"{'.'.join(str(step) for step in one['loc'])}: {problem_of(one)}" for one in error.errors()[:5]]
    return error_response(422, "invalid", "; ".join(problems))


async def _engine(_: Request, error: Exception) -> JSONResponse:
    return error_response(503, "engine_unavailable", str(error), {"Retry-After": "2"})


async def _refused_by_redis(_: Request, error: Exception) -> JSONResponse:
    words = f"Redis answered with an error: {error}. Is something else using its names, or a right missing?"
    return error_response(503, "engine_unavailable", words[:_LONGEST], {"Retry-After": "2"})


async def _busy(_: Request, error: Exception) -> JSONResponse:
    return error_response(503, "busy", str(error), {"Retry-After": str(PasswordsBusy.retry_after)})


async def _unexpected(_: Request, error: Exception) -> JSONResponse:
    return error_response(500, "internal", "something went wrong here; the log of control has the details")


def _refusal(status: int, code: str) -> Any:
    async def answer(_: Request, error: Exception) -> JSONResponse:
        return error_response(status, code, str(error)[:_LONGEST])

    return answer

"""Who asks, and whether they may: tokens, the cookie, roles."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request, Response, Security
from fastapi.security import APIKeyCookie, HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param

from botmatrix.control.errors import ApiError
from botmatrix.control.parts import Parts, UsedParts
from botmatrix.store.logins import LIFETIME
from botmatrix.store.tables import Role, User

COOKIE: Final = "botmatrix_session"
HOST_COOKIE: Final = "__Host-botmatrix_session"
"""The name where https at the root of a host allows it: then no other host or path can have set it."""

_bearer = HTTPBearer(auto_error=False, description="A token from POST /api/login")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="Set by POST /api/login")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `token` is what they came with."""

    user: User
    token: str


def client_address(request: Request) -> str:
    """Where the request comes from, as far as trusted proxies say."""
    return request.client.host if request.client else ""


def set_cookie(request: Request, response: Response, token: str) -> None:
    """Let the browser keep the token, out of reach of any script."""
    name, path = _cookie_place(request)
    response.set_cookie(
        name,
        token,
        max_age=int(LIFETIME.total_seconds()),
        path=path,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )


def drop_cookie(request: Request, response: Response) -> None:
    """Make the browser forget the token."""
    name, path = _cookie_place(request)
    secure = request.url.scheme == "https"
    response.delete_cookie(name, path=path, secure=secure, httponly=True, samesite="strict")


def _cookie_place(request: Request) -> tuple[str, str]:
    root: str = request.scope.get("root_path", "")
    name = HOST_COOKIE if request.url.scheme == "https" and not root else COOKIE
    return name, root or "/"


def _token(request: Request) -> str:
    """The token of the header; only without that header the one of the cookie."""
    if "authorization" not in request.headers:
        return request.cookies.get(_cookie_place(request)[0], "")
    scheme, token = get_authorization_scheme_param(request.headers["authorization"])
    return token if scheme.lower() == "bearer" else ""


async def identify(request: Request, parts: Parts) -> Principal:
    """Who asks. Raises 401; `EngineUnavailable` while the database is away."""
    token = _token(request)
    if not token:
        raise ApiError(401, "unauthorized", "log in first")
    parts.require_schema()
    login = await parts.logins.holder(token)
    if login is None:
        raise ApiError(401, "unauthorized", "this login has ended: log in again")
    return Principal(login.user, token)


@dataclass(frozen=True, slots=True)
class _Documented:
    """Nothing but the description of how one shows who one is."""

    bearer: Annotated[object, Security(_bearer)]
    cookie: Annotated[object, Security(_cookie)]


async def principal(request: Request, parts: UsedParts, _: Annotated[_Documented, Depends(_Documented)]) -> Principal:
    """Who asks, as a dependency."""
    return await identify(request, parts)


Asker = Annotated[Principal, Depends(principal)]


def needs(role: Role) -> Callable[[Principal], Awaitable[Principal]]:
    """A dependency that lets `role` and the roles above it through; the others get 403."""

    async def check(asker: Asker) -> Principal:
        if not asker.user.role.covers(role):
            raise ApiError(403, "forbidden", f"this needs the role {role.value}; yours is {asker.user.role.value}")
        return asker

    return check


VIEWER: Final = Depends(needs(Role.VIEWER))
OPERATOR: Final = Depends(needs(Role.OPERATOR))
ADMIN: Final = Depends(needs(Role.ADMIN))

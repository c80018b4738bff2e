"""Who asks, and whether they may: tokens, the cookie, roles."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request, Response, Security
from fastapi.security import APIKeyCookie, HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param
from starlette.requests import HTTPConnection

from botmatrix.control.audit import note_of
from botmatrix.control.errors import ApiError
from botmatrix.control.parts import Parts, UsedParts
from botmatrix.errors import BotMatrixError
from botmatrix.store import api_keys
from botmatrix.store.logins import LIFETIME
from botmatrix.store.tables import ApiKey, LoginSession, Role, User
from botmatrix.store.users import AboveYou

COOKIE: Final = "botmatrix_session"
HOST_COOKIE: Final = "__Host-botmatrix_session"
"""The name where https at the root of a host allows it: then no other host or path can have set it."""

_bearer = HTTPBearer(auto_error=False, description="A token from POST /api/login, or an API key")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="Set by POST /api/login")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `role` is what they may do: with an API key, no more than its scope.

    Exactly one of `login` and `key` is there; `token` is what they came with.
    """

    user: User
    role: Role
    token: str
    login: LoginSession | None = None
    key: ApiKey | None = None

    @property
    def session(self) -> LoginSession:
        """The login, of somebody who came in person."""
        assert self.login is not None  # noqa: S101 - `in_person` has looked
        return self.login

    @property
    def via(self) -> str:
        """How they came, for the operation log."""
        return f"key:{self.key.name}" if self.key else "login"


def client_address(request: HTTPConnection) -> str:
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


def has_login(request: Request) -> bool:
    """Whether the browser brings a login along; it may have ended."""
    return _cookie_place(request)[0] in request.cookies


def _cookie_place(request: HTTPConnection) -> tuple[str, str]:
    root: str = request.scope.get("root_path", "")
    name = HOST_COOKIE if request.url.scheme in ("https", "wss") and not root else COOKIE
    return name, root or "/"


def _token(request: HTTPConnection) -> str:
    """The token of the header; only without that header the one of the cookie."""
    if "authorization" not in request.headers:
        return request.cookies.get(_cookie_place(request)[0], "")
    scheme, token = get_authorization_scheme_param(request.headers["authorization"])
    return token if scheme.lower() == "bearer" else ""


async def identify(request: HTTPConnection, parts: Parts) -> Principal:
    """Who asks. Raises 401; `EngineUnavailable` while the database is away."""
    token = _token(request)
    if not token:
        raise ApiError(401, "unauthorized", "log in first")
    parts.require_schema()
    found = await _holder(request, parts, token)
    if found is None:
        raise ApiError(401, "unauthorized", "this login or API key is not valid any more: log in again")
    note_of(request).by(found.user.username, found.via)
    return found


async def _holder(request: HTTPConnection, parts: Parts, token: str) -> Principal | None:
    """Asked anew for every request: what is revoked is void at once, in every process."""
    # In the header only: a browser sends its cookies along unasked.
    if "authorization" in request.headers and token.startswith(api_keys.PREFIX):
        held = await parts.keys.holder(token, address=client_address(request))
        return Principal(held.user, held.role, token, key=held.key) if held else None
    login = await parts.logins.holder(token)
    return Principal(login.user, login.user.role, token, login=login.session) if login else None


async def principal(
    request: Request,
    parts: UsedParts,
    _bearer: Annotated[object, Security(_bearer)],
    _cookie: Annotated[object, Security(_cookie)],
) -> Principal:
    """Who asks, as a dependency. What it does not use is there for the description of the API."""
    return await identify(request, parts)


Asker = Annotated[Principal, Depends(principal)]


def needs(role: Role) -> Callable[[Principal], Awaitable[Principal]]:
    """A dependency that lets `role` and the roles above it through; the others get 403."""

    async def check(asker: Asker) -> Principal:
        if not asker.role.covers(role):
            raise ApiError(403, "forbidden", f"this needs the role {role.value}; yours is {asker.role.value}")
        return asker

    return check


async def in_person(asker: Asker) -> Principal:
    """Lets people through, whatever their role, and refuses API keys: a stolen key must not outlive its deletion."""
    if asker.login is None:
        raise ApiError(403, "needs_login", "an API key can't do this: log in with name and password")
    return asker


InPerson = Annotated[Principal, Depends(in_person)]
VIEWER: Final = Depends(needs(Role.VIEWER))
OPERATOR: Final = Depends(needs(Role.OPERATOR))
ADMIN: Final = Depends(needs(Role.ADMIN))
OWNER: Final = Depends(needs(Role.OWNER))


def whose(asker: Principal, everybody: bool) -> int | None:
    """Whose things a list shows: the asker's id, or None for everybody's, which needs an administrator."""
    if not everybody:
        return asker.user.id
    if not asker.role.covers(Role.ADMIN):
        raise ApiError(403, "forbidden", "only an administrator sees what is everybody's")
    return None


def require_reach(asker: Principal, owner: User, unknown: BotMatrixError) -> None:
    """Raise unless the asker may touch what `owner` has: `unknown`, as if it were not there, for a stranger's."""
    if owner.id == asker.user.id:
        return
    if not asker.role.covers(Role.ADMIN):
        raise unknown
    if not asker.role.covers(owner.role):
        raise AboveYou(owner.role)

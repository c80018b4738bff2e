"""Logging in and out, oneself, one's password."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import structlog
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from botmatrix.control.audit import Noting
from botmatrix.control.auth import Asker, InPerson, client_address, drop_cookie, set_cookie
from botmatrix.control.bootstrap import forget_first_password, still_has_first_password
from botmatrix.control.errors import ApiError, documented, protected
from botmatrix.control.parts import Parts, UsedParts
from botmatrix.store.passwords import PasswordsBusy
from botmatrix.store.tables import Role, User

log = structlog.get_logger(__name__)
router = APIRouter(prefix="/api", tags=["login"])


class Credentials(BaseModel):
    """Who one is, and the proof."""

    username: Annotated[str, Field(max_length=256)]
    password: Annotated[str, Field(max_length=1024)]


class PasswordChange(BaseModel):
    """The password so far, and the one to be."""

    old_password: Annotated[str, Field(max_length=1024)]
    new_password: Annotated[str, Field(min_length=8, max_length=1024, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]


class UserView(BaseModel):
    """A user, without secrets."""

    id: int
    username: str
    role: Role
    created_at: datetime
    last_login_at: datetime | None

    @classmethod
    def of(cls, user: User) -> UserView:
        """The public side of a row."""
        return cls.model_validate(user, from_attributes=True)


class Me(BaseModel):
    """Who one is. `may`: what this login or API key may do.

    `generated_password`: it was made at the first start and lies in a file; it wants changing.
    """

    success: Literal[True] = True
    user: UserView
    may: Role
    generated_password: bool


class LoggedIn(Me):
    """A new login. `token` goes into `Authorization: Bearer`; a browser has it in its cookie too."""

    token: str
    expires_at: datetime


class Ok(BaseModel):
    """It is done."""

    success: Literal[True] = True


@router.post("/login", responses=documented(401, 403, 429))
async def login(body: Credentials, request: Request, response: Response, parts: UsedParts, note: Noting) -> LoggedIn:
    """Log in with name and password."""
    parts.require_schema()
    user = await _proven(parts, body.username, body.password, client_address(request))
    note.by(user.username, "login")
    note.say("login", user.username)
    return await _start(parts, user, request, response)


@router.post("/logout", responses=protected())
async def logout(asker: InPerson, request: Request, response: Response, parts: UsedParts, note: Noting) -> Ok:
    """End this login; its token is void at once."""
    note.say("logout", asker.user.username)
    await parts.logins.end(asker.token)
    drop_cookie(request, response)
    return Ok()


@router.get("/me", responses=protected())
async def me(asker: Asker, parts: UsedParts) -> Me:
    """Who one is."""
    return Me(user=UserView.of(asker.user), may=asker.role, generated_password=_is_generated(parts, asker.user))


@router.post("/user/password", responses=protected(429))
async def change_password(
    body: PasswordChange, asker: InPerson, request: Request, response: Response, parts: UsedParts, note: Noting
) -> LoggedIn:
    """Change one's own password. Every login of the user ends; this answer carries a new one."""
    try:
        await _proven(parts, asker.user.username, body.old_password, client_address(request))
    except ApiError as error:
        if error.status_code != 401:
            raise
        raise ApiError(403, "wrong_password", "the old password is wrong") from error
    note.say("user.password", asker.user.username)
    user = await parts.users.set_password(asker.user.username, body.new_password)
    forget_first_password(parts.settings.home, user.username)
    return await _start(parts, user, request, response)


async def _proven(parts: Parts, username: str, password: str, address: str) -> User:
    """The user with this name and password. Raises 429, 401 and `PasswordsBusy`, in the same time for unknown names."""
    wait = await parts.throttle.wait(username, address)
    if wait:
        log.warning("too many login attempts", address=address)
        raise ApiError(429, "too_many_attempts", "too many attempts: wait a little", retry_after=wait)
    user = await parts.users.find(username)
    usable = user if user is not None and not user.disabled else None
    try:
        fits = await parts.passwords.matches(usable.password_hash if usable else None, password)
    except PasswordsBusy:
        await parts.throttle.not_looked_at(username, address)
        raise
    if usable is None or not fits:
        # Not the name: people type passwords into the wrong field.
        log.warning("login refused", address=address)
        raise ApiError(401, "bad_credentials", "name or password is wrong")
    await parts.throttle.succeeded(username, address)
    return usable


async def _start(parts: Parts, user: User, request: Request, response: Response) -> LoggedIn:
    agent = request.headers.get("user-agent", "")
    token, expires_at = await parts.logins.start(user, address=client_address(request), user_agent=agent)
    set_cookie(request, response, token)
    log.info("logged in", username=user.username, address=client_address(request))
    generated = _is_generated(parts, user)
    return LoggedIn(
        user=UserView.of(user), may=user.role, token=token, expires_at=expires_at, generated_password=generated
    )


def _is_generated(parts: Parts, user: User) -> bool:
    return still_has_first_password(parts.settings.home, user.username)

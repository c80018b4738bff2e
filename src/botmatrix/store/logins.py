"""Logins: opaque random tokens, of which only the SHA-256 is stored."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Update, delete, func, select, update

from botmatrix.store.engine import Database
from botmatrix.store.tables import LoginSession, User
from botmatrix.store.text import line

LIFETIME: Final = timedelta(days=7)
SEEN_EVERY: Final = timedelta(minutes=1)
"""`last_seen_at` is no finer than this."""
_PREFIX: Final = "bms_"


class Login(NamedTuple):
    """Who holds a token."""

    session: LoginSession
    user: User


class Logins:
    """The table of logins. Every method is one transaction and raises `EngineUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def start(self, user: User, *, address: str, user_agent: str) -> tuple[str, datetime]:
        """A new login: its token, which is nowhere else, and when it ends. Removes what has expired."""
        token = _PREFIX + secrets.token_urlsafe(32)
        login = LoginSession(
            token_hash=_digest(token),
            user_id=user.id,
            session_version=user.session_version,
            expires_at=func.now() + LIFETIME,
            address=line(address, 64),
            user_agent=line(user_agent, 256),
        )
        async with self._database.session() as session:
            await session.execute(delete(LoginSession).where(LoginSession.expires_at < func.now()))
            await session.execute(update(User).where(User.id == user.id).values(last_login_at=func.now()))
            session.add(login)
            await session.flush()
            await session.refresh(login)
        return token, login.expires_at

    async def holder(self, token: str) -> Login | None:
        """Who holds the token; None when it is unknown, expired or void, or its user is disabled."""
        if not token.startswith(_PREFIX):
            return None
        query = (
            select(LoginSession, User)
            .join(User, User.id == LoginSession.user_id)
            .where(
                LoginSession.token_hash == _digest(token),
                LoginSession.expires_at > func.now(),
                LoginSession.session_version == User.session_version,
                User.disabled.is_(False),
            )
        )
        async with self._database.session() as session:
            row = (await session.execute(query)).one_or_none()
            if row is None:
                return None
            login = Login(*row)
            await session.execute(_seen(login.session.id))
            return login

    async def end(self, token: str) -> None:
        """End the login of this token, if there is one."""
        async with self._database.session() as session:
            await session.execute(delete(LoginSession).where(LoginSession.token_hash == _digest(token)))


def _seen(session_id: int) -> Update:
    stale = LoginSession.last_seen_at < func.now() - SEEN_EVERY
    return update(LoginSession).where(LoginSession.id == session_id, stale).values(last_seen_at=func.now())


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()

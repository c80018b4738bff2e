"""Logins: opaque random tokens, of which only the SHA-256 is stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from asyncpg import Record
from sqlalchemy import LargeBinary, Update, any_, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from botmatrix.errors import BotMatrixError
from botmatrix.store.engine import Database, as_driver_takes
from botmatrix.store.tables import LoginSession, Role, User
from botmatrix.store.text import line
from botmatrix.store.together import Together
from botmatrix.store.tokens import digest, new_token

LIFETIME: Final = timedelta(days=7)
SEEN_EVERY: Final = timedelta(minutes=1)
"""`last_seen_at` is no finer than this."""
_PREFIX: Final = "bms_"
_IS_OPEN: Final = (
    LoginSession.expires_at > func.now(),
    LoginSession.session_version == User.session_version,
    User.disabled.is_(False),
)
_STALE: Final = LoginSession.last_seen_at < func.now() - SEEN_EVERY
_SESSION: Final = tuple(LoginSession.__table__.columns.keys())
_USER: Final = tuple(User.__table__.columns.keys())
_HOLDERS: Final = as_driver_takes(  # asked with every request
    select(LoginSession, User, func.now())
    .join(User, User.id == LoginSession.user_id)
    .where(LoginSession.token_hash == any_(bindparam("hashes", type_=ARRAY(LargeBinary))), *_IS_OPEN)
)


class Login(NamedTuple):
    """Who holds a token."""

    session: LoginSession
    user: User


class UnknownLogin(BotMatrixError):
    """There is no such login, or it is somebody else's."""

    def __init__(self) -> None:
        super().__init__("there is no login with this id")


class Logins:
    """The table of logins. Every method is one transaction and raises `EngineUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._looking = Together(self._holders)

    async def start(self, user: User, *, address: str, user_agent: str) -> tuple[str, datetime]:
        """A new login: its token, which is nowhere else, and when it ends. Removes what has expired."""
        token = new_token(_PREFIX)
        login = LoginSession(
            token_hash=digest(token),
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
        return await self._looking.ask(digest(token))

    async def _holders(self, hashes: Sequence[bytes]) -> list[Login | None]:
        rows = await self._database.rows(_HOLDERS, list(set(hashes)))
        found = {login.session.token_hash: login for login in map(_login, rows)}
        if stale := [row["id"] for row in rows if row["last_seen_at"] < row["now_1"] - SEEN_EVERY]:
            async with self._database.glance() as session:
                await session.execute(_seen(stale))
        return [found.get(one) for one in hashes]

    async def end(self, token: str) -> None:
        """End the login of this token, if there is one."""
        async with self._database.session() as session:
            await session.execute(delete(LoginSession).where(LoginSession.token_hash == digest(token)))

    async def list(self, *, user_id: int | None = None) -> Sequence[Login]:
        """The open logins of one user, or of everybody, newest first."""
        query = select(LoginSession, User).join(User, User.id == LoginSession.user_id).where(*_IS_OPEN)
        if user_id is not None:
            query = query.where(LoginSession.user_id == user_id)
        async with self._database.session() as session:
            return [Login(*row) for row in await session.execute(query.order_by(LoginSession.id.desc()))]

    async def get(self, login_id: int) -> Login:
        """One open login. Raises `UnknownLogin`."""
        query = select(LoginSession, User).join(User, User.id == LoginSession.user_id)
        async with self._database.session() as session:
            row = (await session.execute(query.where(LoginSession.id == login_id, *_IS_OPEN))).one_or_none()
        if row is None:
            raise UnknownLogin
        return Login(*row)

    async def end_one(self, login_id: int) -> None:
        """End one login, if it has not ended."""
        async with self._database.session() as session:
            await session.execute(delete(LoginSession).where(LoginSession.id == login_id))

    async def end_others(self, login: LoginSession) -> int:
        """End every other login of the same user; how many there were."""
        others = (LoginSession.user_id == login.user_id, LoginSession.id != login.id)
        async with self._database.session() as session:
            ended = await session.scalars(delete(LoginSession).where(*others).returning(LoginSession.id))
            return len(ended.all())


def _login(row: Record) -> Login:
    """Of a row that is no object of a session yet: its columns one after the other."""
    session = LoginSession(**dict(zip(_SESSION, row, strict=False)))
    about = dict(zip(_USER, row[len(_SESSION) :], strict=False))
    return Login(session, User(**about | {"role": Role(about["role"])}))


def _seen(ids: Sequence[int]) -> Update:
    return update(LoginSession).where(LoginSession.id.in_(ids), _STALE).values(last_seen_at=func.now())

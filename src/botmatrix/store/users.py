"""People who may log in: what the REST interface and `botmatrix user` do with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import ColumnElement, delete, func, or_, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from botmatrix.errors import BotMatrixError
from botmatrix.store import text as check
from botmatrix.store.engine import Database
from botmatrix.store.passwords import Passwords
from botmatrix.store.tables import LoginSession, Role, User

_ADMINISTRATORS = (Role.OWNER, Role.ADMIN)
_LOCK = 0x626F7475  # "botu": one change at a time to who administers


class UnknownUser(BotMatrixError):
    """No user has this name."""

    def __init__(self, username: str) -> None:
        super().__init__(f"there is no user named {username!r}")


class UserExists(BotMatrixError):
    """The name is taken (compared without case)."""

    def __init__(self, username: str) -> None:
        super().__init__(f"a user named {username!r} exists already")


class LastAdministrator(BotMatrixError):
    """Without this user nobody could administer the system any more."""

    def __init__(self, username: str) -> None:
        super().__init__(f"{username!r} is the last administrator: make another one first")


class Users:
    """The table of users. Every method is one transaction and raises `EngineUnavailable`."""

    def __init__(self, database: Database, passwords: Passwords) -> None:
        self._database = database
        self._passwords = passwords

    async def create(self, username: str, password: str, role: Role) -> User:
        """A new user. Raises `BadValue`, `UserExists`."""
        name = check.username(username)
        hashed = await self._passwords.hash(check.new_password(password))
        try:
            async with self._database.session() as session:
                return await _insert(session, name, hashed, role)
        except IntegrityError as error:
            raise UserExists(name) from error

    async def create_first(self, username: str, password: str, keep: Callable[[], None]) -> User | None:
        """The first owner; None when an administrator exists already.

        The password is not judged. `keep` writes it where a person finds it; it runs before the user is
        saved, and never in two processes at once. Raises `UserExists`.
        """
        hashed = await self._passwords.hash(password)
        async with self._database.session() as session:
            await session.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            if await _administrators(session, User.id.is_not(None)):
                return None
            if await _find(session, username) is not None:
                raise UserExists(username)
            user = await _insert(session, username, hashed, Role.OWNER)
            keep()
            return user

    async def has_administrator(self) -> bool:
        """Whether an owner or admin exists, disabled or not."""
        async with self._database.session() as session:
            return await _administrators(session, User.id.is_not(None)) > 0

    async def get(self, username: str) -> User:
        """One user by name, in any case. Raises `UnknownUser`."""
        async with self._database.session() as session:
            return await _get(session, username)

    async def find(self, username: str) -> User | None:
        """One user by name, in any case."""
        async with self._database.session() as session:
            return await _find(session, username)

    async def list(self, *, query: str = "", limit: int = 100, offset: int = 0) -> tuple[Sequence[User], int]:
        """A page of the users whose names contain `query`, by name, and how many there are in all."""
        where = User.username_key.contains(check.username_key(query.replace("\0", "")), autoescape=True)
        page = select(User).where(where).order_by(User.username_key).limit(limit).offset(offset)
        async with self._database.session() as session:
            total = await session.scalar(select(func.count()).select_from(User).where(where))
            return (await session.scalars(page)).all(), total or 0

    async def set_password(self, username: str, password: str) -> User:
        """A new password, which ends every session of the user. Raises `BadValue`, `UnknownUser`."""
        hashed = await self._passwords.hash(check.new_password(password))
        async with self._database.session() as session:
            user = await _get(session, username)
            user.password_hash = hashed
            await _end_sessions(session, user)
            return user

    async def disable(self, username: str) -> User:
        """Bar a user; every session ends at once. Raises `UnknownUser`, `LastAdministrator`."""
        async with self._database.session() as session:
            await session.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            user = await _get(session, username)
            others = await _administrators(session, User.id != user.id, User.disabled.is_(False))
            if user.role in _ADMINISTRATORS and not others:
                raise LastAdministrator(user.username)
            user.disabled = True
            await _end_sessions(session, user)
            return user

    async def enable(self, username: str) -> User:
        """Let a user in again. Raises `UnknownUser`."""
        async with self._database.session() as session:
            user = await _get(session, username)
            user.disabled = False
            return user


async def _insert(session: AsyncSession, name: str, hashed: str, role: Role) -> User:
    user = User(username=name, username_key=check.username_key(name), password_hash=hashed, role=role)
    session.add(user)
    await session.flush()
    await session.refresh(user)
    return user


async def _find(session: AsyncSession, username: str) -> User | None:
    if "\0" in username:
        return None
    key = check.username_key(username)
    return (await session.scalars(select(User).where(User.username_key == key))).one_or_none()


async def _get(session: AsyncSession, username: str) -> User:
    user = await _find(session, username)
    if user is None:
        raise UnknownUser(username)
    return user


async def _administrators(session: AsyncSession, *where: ColumnElement[bool]) -> int:
    roles = or_(*(User.role == role for role in _ADMINISTRATORS))
    return await session.scalar(select(func.count()).select_from(User).where(roles, *where)) or 0


async def _end_sessions(session: AsyncSession, user: User) -> None:
    user.session_version += 1
    await session.execute(delete(LoginSession).where(LoginSession.user_id == user.id))

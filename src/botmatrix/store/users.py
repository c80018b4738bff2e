"""People who may log in: what the REST interface and `botmatrix user` do with them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from botmatrix.errors import BotMatrixError
from botmatrix.store import text as check
from botmatrix.store.engine import Database
from botmatrix.store.passwords import Passwords
from botmatrix.store.tables import LoginSession, Role, User

SORTS: Final = ("username", "role", "created_at", "last_login_at")
"""Columns by which users can be listed."""
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
    """Without this user nobody could administer the system any more, or no owner would be left."""

    def __init__(self, user: User) -> None:
        kind = "owner" if user.role is Role.OWNER else "administrator"
        super().__init__(f"{user.username!r} is the last {kind}: make another one first")


class AboveYou(BotMatrixError):
    """Nobody gives, takes or touches a role above the own one."""

    def __init__(self, role: Role) -> None:
        super().__init__(f"this needs the role {role.value}")


@dataclass(frozen=True, slots=True)
class Changed:
    """A user, and what they were before."""

    user: User
    role_before: Role
    disabled_before: bool


class Users:
    """The table of users. Every method is one transaction and raises `EngineUnavailable`.

    `by` is the role of whoever asks for a change: what stands above it is out of reach (`AboveYou`), as it is in the
    database at that moment. The last user who can administer stays (`LastAdministrator`): while there is an owner,
    one owner who may log in; else one administrator.
    """

    def __init__(self, database: Database, passwords: Passwords) -> None:
        self._database = database
        self._passwords = passwords

    async def create(self, username: str, password: str, role: Role, *, by: Role = Role.OWNER) -> User:
        """A new user. Raises `BadValue`, `UserExists`, `AboveYou`."""
        _require(by, role)
        name = check.username(username)
        hashed = await self._passwords.hash(check.new_password(password))
        async with self._database.session() as session:
            return await _insert(session, name, hashed, role)

    async def create_first(self, username: str, password: str, keep: Callable[[], None]) -> User | None:
        """The first owner; None when an administrator exists already.

        The password is not judged. `keep` writes it where a person finds it; it runs before the user is
        saved, and never in two processes at once. Raises `UserExists`.
        """
        hashed = await self._passwords.hash(password)
        async with self._database.session() as session:
            await session.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            if await _administrator_exists(session):
                return None
            user = await _insert(session, username, hashed, Role.OWNER)
            keep()
            return user

    async def has_administrator(self) -> bool:
        """Whether an owner or admin exists, disabled or not."""
        async with self._database.session() as session:
            return await _administrator_exists(session)

    async def get(self, username: str) -> User:
        """One user by name, in any case. Raises `UnknownUser`."""
        async with self._database.session() as session:
            return await _get(session, username)

    async def find(self, username: str) -> User | None:
        """One user by name, in any case."""
        async with self._database.session() as session:
            return await _find(session, username)

    async def list(
        self, *, query: str = "", sort: str = "username", limit: int = 100, offset: int = 0
    ) -> tuple[Sequence[User], int]:
        """A page of the users whose names contain `query`, and how many there are in all.

        `sort`: one of `SORTS`, with a leading - for descending.
        """
        where = User.username_key.contains(check.username_key(query.replace("\0", "")), autoescape=True)
        page = select(User).where(where).order_by(*_order(sort)).limit(limit).offset(offset)
        async with self._database.session() as session:
            total = await session.scalar(select(func.count()).select_from(User).where(where))
            return (await session.scalars(page)).all(), total or 0

    async def set_password(self, username: str, password: str, *, by: Role = Role.OWNER) -> User:
        """A new password, which ends every session of the user. Raises `BadValue`, `UnknownUser`, `AboveYou`."""
        return (await self.edit(username, password=password, by=by)).user

    async def edit(
        self, username: str, *, role: Role | None = None, password: str | None = None, by: Role = Role.OWNER
    ) -> Changed:
        """Another role, another password, or both. A new password ends every session of the user.

        Raises `BadValue`, `UnknownUser`, `AboveYou`, `LastAdministrator`.
        """
        hashed = await self._passwords.hash(check.new_password(password)) if password is not None else None
        async with self._changing(username, by) as (session, user):
            before = Changed(user, user.role, user.disabled)
            if role is not None and role is not user.role:
                _require(by, role)
                if not role.covers(user.role):
                    await _require_another(session, user)
                user.role = role
            if hashed is not None:
                user.password_hash = hashed
                await _end_sessions(session, user)
            return before

    async def disable(self, username: str, *, by: Role = Role.OWNER) -> User:
        """Bar a user; every session ends at once. Raises `UnknownUser`, `AboveYou`, `LastAdministrator`."""
        return (await self.set_disabled(username, True, by=by)).user

    async def enable(self, username: str, *, by: Role = Role.OWNER) -> User:
        """Let a user in again. Raises `UnknownUser`, `AboveYou`."""
        return (await self.set_disabled(username, False, by=by)).user

    async def set_disabled(self, username: str, disabled: bool | None, *, by: Role = Role.OWNER) -> Changed:
        """Bar a user or let them in again; None: the other of the two. Raises as `disable`."""
        async with self._changing(username, by) as (session, user):
            before = Changed(user, user.role, user.disabled)
            wanted = not user.disabled if disabled is None else disabled
            if wanted and not user.disabled:
                await _require_another(session, user)
                await _end_sessions(session, user)
            user.disabled = wanted
            return before

    async def delete(self, username: str, *, by: Role = Role.OWNER) -> User:
        """Remove a user with every session and API key. Raises as `disable`."""
        async with self._changing(username, by) as (session, user):
            if not user.disabled:
                await _require_another(session, user)
            await session.delete(user)
            return user

    @asynccontextmanager
    async def _changing(self, username: str, by: Role) -> AsyncIterator[tuple[AsyncSession, User]]:
        """A user in a transaction beside which no other changes who administers."""
        async with self._database.session() as session:
            await session.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            user = await _get(session, username)
            _require(by, user.role)
            yield session, user


def _require(by: Role, role: Role) -> None:
    if not by.covers(role):
        raise AboveYou(role)


def _order(sort: str) -> list[ColumnElement[Any]]:
    columns: dict[str, Any] = {
        "username": User.username_key,
        "role": User.role,
        "created_at": User.created_at,
        "last_login_at": User.last_login_at,
    }
    column = columns[sort.removeprefix("-")]
    return [one.desc() if sort.startswith("-") else one.asc() for one in (column, User.id)]


async def _insert(session: AsyncSession, name: str, hashed: str, role: Role) -> User:
    """Raises `UserExists`; not by an error of PostgreSQL, which would write it into its log."""
    values = {"username": name, "username_key": check.username_key(name), "password_hash": hashed, "role": role}
    added = insert(User).values(values).on_conflict_do_nothing(index_elements=["username_key"]).returning(User)
    user = await session.scalar(added)
    if user is None:
        raise UserExists(name)
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


async def _administrator_exists(session: AsyncSession) -> bool:
    administrators = select(func.count()).select_from(User).where(User.role.in_(_ADMINISTRATORS))
    return bool(await session.scalar(administrators))


async def _require_another(session: AsyncSession, user: User) -> None:
    """Raises `LastAdministrator` when this user's going would leave nobody who can administer."""
    if user.role not in _ADMINISTRATORS:
        return
    peer = User.role == Role.OWNER if user.role is Role.OWNER else User.role.in_(_ADMINISTRATORS)
    others = select(func.count()).select_from(User).where(peer, User.id != user.id, User.disabled.is_(False))
    if not await session.scalar(others):
        raise LastAdministrator(user)


async def _end_sessions(session: AsyncSession, user: User) -> None:
    user.session_version += 1
    await session.execute(delete(LoginSession).where(LoginSession.user_id == user.id))

"""Who of a chat platform is a user here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from botmatrix.errors import BotMatrixError
from botmatrix.store.engine import Database
from botmatrix.store.operations import Change, row_of
from botmatrix.store.tables import Role, User, UserBinding

COMMANDERS: Final = (
    select(UserBinding.identity)
    .join(User, User.id == UserBinding.user_id)
    .where(User.disabled.is_(False), User.role.in_((Role.OWNER, Role.ADMIN)))
)
"""`platform:user_id` of everybody whose binding counts now."""


class UnknownBinding(BotMatrixError):
    """Nobody of this name is bound, or to somebody else."""

    def __init__(self) -> None:
        super().__init__("nobody with this platform and id is bound")


class Binding(NamedTuple):
    """A binding and its user."""

    row: UserBinding
    user: User

    @property
    def counts(self) -> bool:
        """Whether it makes a chat administrator now."""
        return not self.user.disabled and self.user.role.covers(Role.ADMIN)


class Bindings:
    """The table of bindings. Every method is one transaction and raises `EngineUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, identity: str, user_id: int) -> bool:
        """Bind somebody, in place of an earlier binding, and write it into the operation log.

        False when nothing changes: they are bound to this user already, or the user is gone or disabled.
        """
        async with self._database.session() as session:
            user = await session.scalar(
                select(User).where(User.id == user_id, User.disabled.is_(False)).with_for_update(read=True)
            )
            if user is None:
                return False
            row = insert(UserBinding).values(identity=identity, user_id=user_id)
            other = UserBinding.user_id != user_id
            row = row.on_conflict_do_update(index_elements=["identity"], set_={"user_id": user_id}, where=other)
            changed = (await session.scalar(row.returning(UserBinding.identity))) is not None
            if changed:
                session.add(row_of(Change(user.username, "chat", "user.bind", identity)))
            return changed

    async def list(self, *, user_id: int | None = None) -> Sequence[Binding]:
        """The bindings of one user, or of everybody."""
        query = select(UserBinding, User).join(User, User.id == UserBinding.user_id).order_by(UserBinding.identity)
        if user_id is not None:
            query = query.where(UserBinding.user_id == user_id)
        async with self._database.session() as session:
            return [Binding(*row) for row in await session.execute(query)]

    async def get(self, identity: str) -> Binding:
        """One binding. Raises `UnknownBinding`."""
        query = select(UserBinding, User).join(User, User.id == UserBinding.user_id)
        async with self._database.session() as session:
            row = (await session.execute(query.where(UserBinding.identity == identity))).one_or_none()
        if row is None:
            raise UnknownBinding
        return Binding(*row)

    async def remove(self, identity: str) -> None:
        """End one binding, if there is one."""
        async with self._database.session() as session:
            await session.execute(delete(UserBinding).where(UserBinding.identity == identity))

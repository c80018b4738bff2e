"""The tables, as the newest migration leaves them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Enum, ForeignKey, Identity, LargeBinary, String, func
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Role(StrEnum):
    """What a user may do; each role may do all that the later ones may."""

    OWNER = "owner"
    ADMIN = "admin"
    OPERATOR = "operator"
    VIEWER = "viewer"

    def covers(self, needed: Role) -> bool:
        """Whether this role is `needed` or stands above it."""
        order = list(Role)
        return order.index(self) <= order.index(needed)


class Base(DeclarativeBase):
    """All tables share these types: moments carry a time zone, numbers are 64-bit, text is of any length."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        datetime: TIMESTAMP(timezone=True),
        int: BigInteger,
        str: String,
        Role: Enum(Role, native_enum=False, values_callable=lambda roles: [role.value for role in roles]),
        bytes: LargeBinary,
    }


class User(Base):
    """A person who may log in to the console."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    username: Mapped[str]
    """As it was typed."""
    username_key: Mapped[str] = mapped_column(unique=True)
    """The same without case: what makes it unique and what a login looks for."""
    password_hash: Mapped[str]
    """argon2id, in its own notation."""
    role: Mapped[Role]
    disabled: Mapped[bool] = mapped_column(default=False)
    session_version: Mapped[int] = mapped_column(default=1)
    """Raised with every new password; sessions of an older version are void."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())
    last_login_at: Mapped[datetime | None]


class LoginSession(Base):
    """A login that has not ended yet. The token itself is known to its holder only."""

    __tablename__ = "login_sessions"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    """SHA-256 of the token."""
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    session_version: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)
    address: Mapped[str]
    user_agent: Mapped[str]


class CoreDocument(Base):
    """The judge's configuration: one row, or none before the first change."""

    __tablename__ = "core_config"

    id: Mapped[int] = mapped_column(primary_key=True)
    """Always 1."""
    version: Mapped[int]
    """Rises with every change, wherever it is made."""
    document: Mapped[str]
    """JSON, as it stands in Redis."""
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_by: Mapped[str]
    """A user name, or `chat` for a verb in a chat."""


class RoutingRule(Base):
    """A routing rule (`botmatrix.routing.rule.Rule`)."""

    __tablename__ = "routing_rules"

    key: Mapped[str] = mapped_column(primary_key=True)
    target: Mapped[str]
    """A worker's id, `pool:NAME`, or `block`."""
    priority: Mapped[int] = mapped_column(default=0)
    fallback: Mapped[str] = mapped_column(default="balance")
    disabled: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())

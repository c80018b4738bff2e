"""What all tables share."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Enum, LargeBinary, String
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase


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

    def at_most(self, limit: Role) -> Role:
        """This role, or `limit` when that is the lower one."""
        return limit if self.covers(limit) else self


class Base(DeclarativeBase):
    """All tables share these types: moments carry a time zone, numbers are 64-bit, text is of any length."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        datetime: TIMESTAMP(timezone=True),
        int: BigInteger,
        str: String,
        Role: Enum(Role, native_enum=False, values_callable=lambda roles: [role.value for role in roles]),
        bytes: LargeBinary,
        dict[str, Any]: JSONB(none_as_null=True),
    }

"""The tables of packages of plugins: what is known of each, and its file in pieces."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKeyConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from botmatrix.store.base import Base


class PluginPackage(Base):
    """One version of a plugin. It never changes: another content is another version."""

    __tablename__ = "plugin_packages"

    plugin: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str]
    """Of its file, in hex."""
    size: Mapped[int]
    """Bytes of its file."""
    manifest: Mapped[dict[str, Any]]
    """`name`, `description`, `permissions` (what it asks for, sorted) and `isolated`."""
    added_at: Mapped[datetime] = mapped_column(server_default=func.now())
    added_by: Mapped[str]


class PackagePart(Base):
    """256 KiB of the file of a package, the last part shorter."""

    __tablename__ = "plugin_package_parts"
    __table_args__ = (
        ForeignKeyConstraint(
            ["plugin", "version"], ["plugin_packages.plugin", "plugin_packages.version"], ondelete="CASCADE"
        ),
    )

    plugin: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    data: Mapped[bytes]

"""Packages of plugins."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create `plugin_packages` and `plugin_package_parts`."""
    op.create_table(
        "plugin_packages",
        sa.Column("plugin", sa.String, primary_key=True),
        sa.Column("version", sa.String, primary_key=True),
        sa.Column("sha256", sa.String, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("manifest", JSONB, nullable=False),
        sa.Column("added_at", TIMESTAMP(timezone=True), nullable=False, server_default=sa.text("now()")),
        sa.Column("added_by", sa.String, nullable=False),
    )
    op.create_table(
        "plugin_package_parts",
        sa.Column("plugin", sa.String, primary_key=True),
        sa.Column("version", sa.String, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(
            ["plugin", "version"], ["plugin_packages.plugin", "plugin_packages.version"], ondelete="CASCADE"
        ),
    )
    # What is in a package is compressed already.
    op.execute("ALTER TABLE plugin_package_parts ALTER COLUMN data SET STORAGE EXTERNAL")

"""What plugins keep for good."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create `plugin_values`."""
    op.create_table(
        "plugin_values",
        sa.Column("plugin", sa.String, primary_key=True),
        sa.Column("key", sa.String(collation="C"), primary_key=True),
        sa.Column("value", sa.String, nullable=False),
        sa.Column("updated_at", TIMESTAMP(timezone=True), nullable=False, server_default=sa.text("now()")),
    )

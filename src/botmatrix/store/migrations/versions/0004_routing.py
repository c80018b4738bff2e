"""Routing rules."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MOMENT = TIMESTAMP(timezone=True)
NOW = sa.text("now()")


def upgrade() -> None:
    """Create `routing_rules`."""
    op.create_table(
        "routing_rules",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("target", sa.String, nullable=False),
        sa.Column("priority", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("fallback", sa.String, nullable=False, server_default="balance"),
        sa.Column("disabled", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
        sa.Column("updated_at", MOMENT, nullable=False, server_default=NOW),
        sa.CheckConstraint("fallback IN ('balance', 'drop')", name="routing_rules_fallback"),
    )

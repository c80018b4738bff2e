"""Alert rules and alerts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

MOMENT = TIMESTAMP(timezone=True)
NOW = sa.text("now()")


def upgrade() -> None:
    """Create `alert_rules` and `alerts`."""
    op.create_table(
        "alert_rules",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False, server_default=""),
        sa.Column("threshold", sa.Float, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        *(sa.Column(name, sa.String, nullable=False, server_default="") for name in ("webhook", "bot", "target")),
        sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
    )
    rule = sa.ForeignKey("alert_rules.id", ondelete="CASCADE")
    op.create_table(
        "alerts",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("rule_id", sa.BigInteger, rule, index=True, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("words", sa.String, nullable=False),
        sa.Column("started_at", MOMENT, nullable=False, server_default=NOW, index=True),
        sa.Column("ended_at", MOMENT),
        sa.Column("untold", sa.Boolean, nullable=False),
        sa.Column("tries", sa.BigInteger, nullable=False),
        sa.Column("next_try_at", MOMENT, nullable=False, server_default=NOW),
        sa.Column("problem", sa.String, nullable=False, server_default=""),
    )
    is_open = sa.text("ended_at IS NULL")
    op.create_index("ix_alerts_open", "alerts", ["rule_id", "subject"], unique=True, postgresql_where=is_open)

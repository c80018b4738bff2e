"""Alerts by mail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add `alert_rules.mail`."""
    op.add_column("alert_rules", sa.Column("mail", sa.String, nullable=False, server_default=""))

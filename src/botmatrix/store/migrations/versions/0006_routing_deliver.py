"""Rules that deliver to all of several targets, or wait for one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add `deliver` to `routing_rules`, and allow the fallback `wait`."""
    op.add_column("routing_rules", sa.Column("deliver", sa.String, nullable=False, server_default="one"))
    op.create_check_constraint("routing_rules_deliver", "routing_rules", "deliver IN ('one', 'all')")
    op.drop_constraint("routing_rules_fallback", "routing_rules")
    op.create_check_constraint("routing_rules_fallback", "routing_rules", "fallback IN ('balance', 'wait', 'drop')")

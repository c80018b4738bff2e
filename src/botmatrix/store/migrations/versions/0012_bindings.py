"""Who of a chat platform is a user here."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create `user_bindings`."""
    user = sa.ForeignKey("users.id", ondelete="CASCADE")
    op.create_table(
        "user_bindings",
        sa.Column("identity", sa.String, primary_key=True),
        sa.Column("user_id", sa.BigInteger, user, index=True, nullable=False),
        sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False, server_default=sa.text("now()")),
    )

"""Messages and traces, parted by month; the partitions are made when they are needed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

MOMENT = TIMESTAMP(timezone=True)


def text(*names: str) -> list[sa.Column[str]]:
    """Columns of text that are never null."""
    return [sa.Column(name, sa.String, nullable=False) for name in names]


def upgrade() -> None:
    """Create `messages`, `traces` and `trace_position`."""
    op.create_table(
        "messages",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("at", MOMENT, primary_key=True),
        *text("event_id", "direction", "bot", "conv", "user_id", "group_id", "message_id", "state", "text"),
        sa.Column("grams", ARRAY(sa.Integer), nullable=False),
        postgresql_partition_by="RANGE (at)",
    )
    op.create_table(
        "traces",
        sa.Column("event_id", sa.String, primary_key=True),
        sa.Column("at", MOMENT, primary_key=True),
        *text("bot", "conv", "user_id", "group_id", "kind", "text", "rule", "worker"),
        sa.Column("outcome", sa.SmallInteger, nullable=False),
        *text("reason"),
        sa.Column("parts", JSONB, nullable=False),
        postgresql_partition_by="RANGE (at)",
    )
    for table, key in (("messages", "id"), ("traces", "event_id")):
        op.create_index(f"{table}_at", table, ["at", key])
        op.create_index(f"{table}_bot", table, ["bot", "at"])
        op.create_index(f"{table}_user", table, ["user_id", "at"])
        op.create_index(f"{table}_group", table, ["group_id", "at"])
    op.create_index("messages_grams", "messages", ["grams"], postgresql_using="gin")
    op.create_table(
        "trace_position",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("entry", sa.String, nullable=False),
    )

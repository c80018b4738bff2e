"""Bots and groups that were seen, and who may connect as a bot."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

MOMENT = TIMESTAMP(timezone=True)
NOW = sa.text("now()")


def upgrade() -> None:
    """Create `bots`, `groups`, `bot_groups` and `bot_access`."""
    op.create_table(
        "bots",
        sa.Column("platform", sa.String, primary_key=True),
        sa.Column("self_id", sa.String, primary_key=True),
        *(_text(name) for name in ("nickname", "user_agent", "remote")),
        sa.Column("first_seen", MOMENT, nullable=False, server_default=NOW),
        sa.Column("last_seen", MOMENT, nullable=False, server_default=NOW),
        *(_count(name) for name in ("received", "sent", "failed")),
        _text("nexus"),
        *(_count(name) for name in ("nexus_received", "nexus_sent", "nexus_failed")),
        _text("groups_mark"),
    )
    op.create_table(
        "groups",
        sa.Column("platform", sa.String, primary_key=True),
        sa.Column("group_id", sa.String, primary_key=True),
        _text("name"),
        sa.Column("first_seen", MOMENT, nullable=False, server_default=NOW),
        sa.Column("last_seen", MOMENT, nullable=False, server_default=NOW),
    )
    op.create_table(
        "bot_groups",
        *(sa.Column(name, sa.String, primary_key=True) for name in ("platform", "self_id", "group_id")),
    )
    op.create_index("ix_bot_groups_group", "bot_groups", ["platform", "group_id"])
    op.create_table(
        "bot_access",
        sa.Column("bot", sa.String, primary_key=True),
        sa.Column("token_hash", sa.LargeBinary),
        _text("hint"),
        _count("kicks"),
        sa.Column("banned_until", MOMENT),
        sa.Column("updated_at", MOMENT, nullable=False, server_default=NOW),
        _text("updated_by"),
    )


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String, nullable=False, server_default="")


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")

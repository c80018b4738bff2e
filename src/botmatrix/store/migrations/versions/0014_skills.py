"""Tasks and their executions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

MOMENT = TIMESTAMP(timezone=True)
NOW = sa.text("now()")


def upgrade() -> None:
    """Create `tasks` and `executions`."""
    op.create_table(
        "tasks",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        *(sa.Column(name, sa.String, nullable=False) for name in ("name", "type", "action_type")),
        sa.Column("action_params", JSONB, nullable=False),
        sa.Column("hidden", sa.Boolean, nullable=False),
        sa.Column("creator", sa.String, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
    )
    task = sa.ForeignKey("tasks.id", ondelete="CASCADE")
    op.create_table(
        "executions",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("task_id", sa.BigInteger, task, index=True, nullable=False),
        sa.Column("execution_id", sa.String, nullable=False, unique=True),
        sa.Column("skill", sa.String, nullable=False),
        sa.Column("params", JSONB, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("worker_id", sa.String, nullable=False, server_default=""),
        sa.Column("declined", ARRAY(sa.String), nullable=False, server_default="{}"),
        sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
        *(sa.Column(name, sa.String, nullable=False, server_default="") for name in ("result", "error")),
        *(sa.Column(name, MOMENT, nullable=False, server_default=NOW) for name in ("trigger_time", "due_at")),
        sa.Column("actual_time", MOMENT),
        sa.Column("deadline", MOMENT, nullable=False),
    )
    is_open = sa.text("status IN ('pending', 'dispatching', 'running')")
    op.create_index("executions_open", "executions", ["due_at"], postgresql_where=is_open)
    op.create_index("executions_trigger_time", "executions", ["trigger_time", "id"])

"""Tasks that somebody made: when they are set off, their tries, and tags."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

MOMENT = TIMESTAMP(timezone=True)
NOW = sa.text("now()")
COMING = sa.text("status = 'pending' AND next_run_time IS NOT NULL")
CONDITIONS = sa.text("type = 'condition' AND status = 'pending'")
WAITING = sa.text("next_retry_time IS NOT NULL")
TRIES = (("max_retries", sa.Integer, "0"), ("retry_delay", sa.Float, "60"), ("time_limit", sa.Float, "300"))


def upgrade() -> None:
    """Create `tags`; widen `tasks` and `executions`."""
    _widen_tasks()
    _widen_executions()
    op.create_table(
        "tags",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        *(sa.Column(name, sa.String, nullable=False) for name in ("name", "platform", "type", "target_id")),
        sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
        sa.UniqueConstraint("name", "platform", "type", "target_id", name="tags_once"),
    )


def _widen_tasks() -> None:
    # What is there already are calls of skills, each with its one execution.
    op.add_column("tasks", sa.Column("trigger_config", JSONB, nullable=False, server_default="{}"))
    op.add_column("tasks", sa.Column("time_zone", sa.String, nullable=False, server_default="UTC"))
    op.add_column("tasks", sa.Column("status", sa.String, nullable=False, server_default="completed"))
    op.add_column("tasks", sa.Column("tags", ARRAY(sa.String), nullable=False, server_default="{}"))
    for name, kind, default in TRIES:
        op.add_column("tasks", sa.Column(name, kind, nullable=False, server_default=default))
    for name in ("last_run_time", "next_run_time"):
        op.add_column("tasks", sa.Column(name, MOMENT))
    op.add_column("tasks", sa.Column("updated_at", MOMENT, nullable=False, server_default=NOW))
    op.create_index("tasks_coming", "tasks", ["next_run_time"], postgresql_where=COMING)
    op.create_index("tasks_conditions", "tasks", ["id"], postgresql_where=CONDITIONS)


def _widen_executions() -> None:
    op.add_column("executions", sa.Column("cause", sa.String, nullable=False, server_default="call"))
    op.add_column("executions", sa.Column("action_type", sa.String, nullable=False, server_default="skill_call"))
    op.add_column("executions", sa.Column("retry_count", sa.Integer, nullable=False, server_default="0"))
    for name, kind, default in TRIES:
        op.add_column("executions", sa.Column(name, kind, nullable=False, server_default=default))
    op.add_column("executions", sa.Column("next_retry_time", MOMENT))
    op.create_unique_constraint("executions_once", "executions", ["task_id", "cause"])
    op.drop_index("ix_executions_task_id", "executions")  # the constraint has an index that begins with it
    op.create_index("executions_waiting", "executions", ["next_retry_time"], postgresql_where=WAITING)

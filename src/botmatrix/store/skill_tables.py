"""The tables of the skill system."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Float, ForeignKey, Identity, Index, Integer, String, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from botmatrix.store.base import Base


class Task(Base):
    """What is to be done, and when. `hidden`: it stands for one call that somebody made, and is in no list."""

    __tablename__ = "tasks"
    __table_args__ = (
        Index(
            "tasks_coming", "next_run_time", postgresql_where=text("status = 'pending' AND next_run_time IS NOT NULL")
        ),
        Index("tasks_conditions", "id", postgresql_where=text("type = 'condition' AND status = 'pending'")),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str]
    type: Mapped[str]
    """`once`, `delayed`, `cron`, `condition`."""
    action_type: Mapped[str]
    """`send_message`, `mute_group`, `unmute_group`, `skill_call`."""
    action_params: Mapped[dict[str, Any]]
    hidden: Mapped[bool]
    creator: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    trigger_config: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    time_zone: Mapped[str] = mapped_column(server_default="UTC")
    status: Mapped[str] = mapped_column(server_default="completed")
    """`pending`, `disabled`, `completed`."""
    tags: Mapped[list[str]] = mapped_column(ARRAY(String), server_default="{}")
    max_retries: Mapped[int] = mapped_column(Integer, server_default="0")
    retry_delay: Mapped[float] = mapped_column(Float, server_default="60")
    """Seconds; the n-th retry waits n * n times as long."""
    time_limit: Mapped[float] = mapped_column(Float, server_default="300")
    """Seconds that one try has."""
    last_run_time: Mapped[datetime | None]
    next_run_time: Mapped[datetime | None]
    """When it is set off next. Whoever moves it on has set the task off: no two can."""
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Execution(Base):
    """One run of a task."""

    __tablename__ = "executions"
    __table_args__ = (
        Index("executions_open", "due_at", postgresql_where=text("status IN ('pending', 'dispatching', 'running')")),
        Index("executions_trigger_time", "trigger_time", "id"),
        Index("executions_waiting", "next_retry_time", postgresql_where=text("next_retry_time IS NOT NULL")),
        UniqueConstraint("task_id", "cause", name="executions_once"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"))
    execution_id: Mapped[str] = mapped_column(unique=True)
    skill: Mapped[str]
    params: Mapped[dict[str, Any]]
    status: Mapped[str]
    """`pending`, `dispatching`, `running`, `success`, `failed`, `dead`."""
    worker_id: Mapped[str] = mapped_column(server_default="")
    declined: Mapped[list[str]] = mapped_column(ARRAY(String), server_default="{}")
    """The workers that declined it."""
    attempt: Mapped[int] = mapped_column(Integer, server_default="0")
    """How often it was put on a lane and came back."""
    result: Mapped[str] = mapped_column(server_default="")
    error: Mapped[str] = mapped_column(server_default="")
    trigger_time: Mapped[datetime] = mapped_column(server_default=func.now())
    due_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """When it is to be looked at next: to be dispatched, or dispatched again after a crash."""
    actual_time: Mapped[datetime | None]
    """When it ended, or its last try did."""
    deadline: Mapped[datetime]
    """When nobody waits any more."""
    cause: Mapped[str] = mapped_column(server_default="call")
    """What set its task off, and for whom it is done: there is one execution for each."""
    action_type: Mapped[str] = mapped_column(server_default="skill_call")
    retry_count: Mapped[int] = mapped_column(Integer, server_default="0")
    max_retries: Mapped[int] = mapped_column(Integer, server_default="0")
    retry_delay: Mapped[float] = mapped_column(Float, server_default="60")
    time_limit: Mapped[float] = mapped_column(Float, server_default="300")
    next_retry_time: Mapped[datetime | None]


class Tag(Base):
    """A name on a group or a friend, by which tasks reach it."""

    __tablename__ = "tags"
    __table_args__ = (UniqueConstraint("name", "platform", "type", "target_id", name="tags_once"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str]
    platform: Mapped[str]
    type: Mapped[str]
    """`group`, `friend`."""
    target_id: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

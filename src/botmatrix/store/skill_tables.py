"""The tables of the skill system."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Identity, Index, Integer, String, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from botmatrix.store.base import Base


class Task(Base):
    """What is to be done. `hidden`: it stands for one call that somebody made, and is in no list."""

    __tablename__ = "tasks"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str]
    type: Mapped[str]
    """`once`."""
    action_type: Mapped[str]
    """`skill_call`."""
    action_params: Mapped[dict[str, Any]]
    hidden: Mapped[bool]
    creator: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Execution(Base):
    """One run of a task."""

    __tablename__ = "executions"
    __table_args__ = (
        Index("executions_open", "due_at", postgresql_where=text("status IN ('pending', 'dispatching', 'running')")),
        Index("executions_trigger_time", "trigger_time", "id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"), index=True)
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
    """When it ended."""
    deadline: Mapped[datetime]
    """When nobody waits any more."""

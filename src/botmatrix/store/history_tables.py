"""The tables of what was said and what became of it, in parts by month."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Index, Integer, SmallInteger
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from botmatrix.store.base import Base

PARTED: Final = {"postgresql_partition_by": "RANGE (at)"}


class Message(Base):
    """Something that was said, to a bot or by one."""

    __tablename__ = "messages"
    __table_args__ = (
        Index("messages_at", "at", "id"),
        Index("messages_bot", "bot", "at"),
        Index("messages_user", "user_id", "at"),
        Index("messages_group", "group_id", "at"),
        Index("messages_grams", "grams", postgresql_using="gin"),
        PARTED,
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    """The event's id; for what a bot said, the action's."""
    at: Mapped[datetime] = mapped_column(primary_key=True)
    """When it was received, or sent."""
    event_id: Mapped[str]
    """The event that it is, or that it answers; empty for what somebody had a bot say."""
    direction: Mapped[str]
    """`in` or `out`."""
    bot: Mapped[str]
    conv: Mapped[str]
    user_id: Mapped[str]
    """Who said it, or to whom it was said in private."""
    group_id: Mapped[str]
    message_id: Mapped[str]
    """The platform's own id."""
    state: Mapped[str]
    """Of what was heard `passed` or why it was blocked; of what was said how that ended: `done`, `failed`, ..."""
    text: Mapped[str]
    grams: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    """What a search for a part of the text goes by (`grams.py`)."""


class Trace(Base):
    """The road of one event, as far as it was reported."""

    __tablename__ = "traces"
    __table_args__ = (
        Index("traces_at", "at", "event_id"),
        Index("traces_bot", "bot", "at"),
        Index("traces_user", "user_id", "at"),
        Index("traces_group", "group_id", "at"),
        PARTED,
    )

    event_id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    """The second that the event's id names, so that the id alone says where to look."""
    bot: Mapped[str]
    conv: Mapped[str]
    user_id: Mapped[str]
    group_id: Mapped[str]
    kind: Mapped[str]
    """`message.group`."""
    text: Mapped[str]
    rule: Mapped[str]
    worker: Mapped[str]
    outcome: Mapped[int] = mapped_column(SmallInteger)
    """One of `Outcome`."""
    reason: Mapped[str]
    parts: Mapped[dict[str, Any]]
    """What was reported, each part under a name of its own, so that a part that comes twice counts once."""


class TracePosition(Base):
    """One row: up to which entry of the stream everything is in the tables."""

    __tablename__ = "trace_position"

    id: Mapped[int] = mapped_column(primary_key=True)
    """Always 1."""
    entry: Mapped[str]

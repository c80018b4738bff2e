"""The tables, as the newest migration leaves them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ForeignKey,
    Identity,
    Index,
    String,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from botmatrix.store.base import Base, Role
from botmatrix.store.history_tables import Message, Trace, TracePosition
from botmatrix.store.package_tables import PackagePart, PluginPackage
from botmatrix.store.skill_tables import Execution, Tag, Task

__all__ = [
    "Base",
    "Execution",
    "Message",
    "PackagePart",
    "PluginPackage",
    "Role",
    "Tag",
    "Task",
    "Trace",
    "TracePosition",
]


class User(Base):
    """A person who may log in to the console."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    username: Mapped[str]
    """As it was typed."""
    username_key: Mapped[str] = mapped_column(unique=True)
    """The same without case: what makes it unique and what a login looks for."""
    password_hash: Mapped[str]
    """argon2id, in its own notation."""
    role: Mapped[Role]
    disabled: Mapped[bool] = mapped_column(default=False)
    session_version: Mapped[int] = mapped_column(default=1)
    """Raised with every new password; sessions of an older version are void."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())
    last_login_at: Mapped[datetime | None]


class LoginSession(Base):
    """A login that has not ended yet. The token itself is known to its holder only."""

    __tablename__ = "login_sessions"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    """SHA-256 of the token."""
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    session_version: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)
    address: Mapped[str]
    user_agent: Mapped[str]


class ApiKey(Base):
    """A key with which a program asks in the name of its owner. The token itself is known to its holder only."""

    __tablename__ = "api_keys"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    scope: Mapped[Role]
    """What the key may do, as far as its owner may: never more than either."""
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    """SHA-256 of the token."""
    hint: Mapped[str]
    """How the token begins, to tell keys apart."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    last_address: Mapped[str] = mapped_column(server_default="")


class UserBinding(Base):
    """Somebody on a chat platform who is a user here: as an administrator, one who may command the hub from chat."""

    __tablename__ = "user_bindings"

    identity: Mapped[str] = mapped_column(primary_key=True)
    """`platform:user_id`."""
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Operation(Base):
    """One change somebody made. It outlives who made it and what was changed; secrets are masked."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    who: Mapped[str]
    """The name of a user; `cli:` and the name on the machine for the command line."""
    via: Mapped[str]
    """`login`, `key:` and the key's name, or `cli`."""
    what: Mapped[str]
    """`user.create`; a route that says nothing is named by its method and path."""
    object: Mapped[str]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    address: Mapped[str]


class VersionedDocument(Base):
    """A document that stands in Redis too: one row, or none before the first change."""

    __abstract__ = True

    id: Mapped[int] = mapped_column(primary_key=True)
    """Always 1."""
    version: Mapped[int]
    """Rises with every change, wherever it is made."""
    document: Mapped[str]
    """JSON, as it stands in Redis."""
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_by: Mapped[str]
    """A user name, or `chat` for a verb in a chat."""


class CoreDocument(VersionedDocument):
    """The judge's configuration."""

    __tablename__ = "core_config"


class GroupPoliciesDocument(VersionedDocument):
    """Which of several bots in a group answers (`botmatrix.routing.groups.GroupPolicies`)."""

    __tablename__ = "group_policies"


class PluginsDocument(VersionedDocument):
    """Which plugins are on, and where (`botmatrix.core.plugins.PluginWishes`)."""

    __tablename__ = "plugins"


class PluginSettingsDocument(VersionedDocument):
    """What plugins are filled with (`botmatrix.core.plugin_settings.PluginSettings`)."""

    __tablename__ = "plugin_settings"


class SettingRow(Base):
    """A setting that all nodes share."""

    __tablename__ = "settings"

    key: Mapped[str] = mapped_column(primary_key=True)
    generated: Mapped[bool] = mapped_column(primary_key=True)
    """A token that was made at the first start: a default, beside what was set on purpose."""
    value: Mapped[str]
    """JSON, as it would stand in `config.json`."""
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_by: Mapped[str]


class SeenBot(Base):
    """A bot that was here at least once: what was last known of it, and what it did in all."""

    __tablename__ = "bots"

    platform: Mapped[str] = mapped_column(primary_key=True)
    self_id: Mapped[str] = mapped_column(primary_key=True)
    nickname: Mapped[str] = mapped_column(server_default="")
    user_agent: Mapped[str] = mapped_column(server_default="")
    remote: Mapped[str] = mapped_column(server_default="")
    first_seen: Mapped[datetime] = mapped_column(server_default=func.now())
    last_seen: Mapped[datetime] = mapped_column(server_default=func.now())
    received: Mapped[int] = mapped_column(server_default="0")
    """Events, at every nexus it ever had; `sent` and `failed` count actions."""
    sent: Mapped[int] = mapped_column(server_default="0")
    failed: Mapped[int] = mapped_column(server_default="0")
    nexus: Mapped[str] = mapped_column(server_default="")
    """Whose counters were added last; the next three are how far."""
    nexus_received: Mapped[int] = mapped_column(server_default="0")
    nexus_sent: Mapped[int] = mapped_column(server_default="0")
    nexus_failed: Mapped[int] = mapped_column(server_default="0")
    groups_mark: Mapped[str] = mapped_column(server_default="")
    """Which list of groups `bot_groups` holds for it."""


class SeenGroup(Base):
    """A group that a bot is in, or that spoke where a bot could hear it."""

    __tablename__ = "groups"

    platform: Mapped[str] = mapped_column(primary_key=True)
    group_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(server_default="")
    first_seen: Mapped[datetime] = mapped_column(server_default=func.now())
    last_seen: Mapped[datetime] = mapped_column(server_default=func.now())
    """When it was last in a bot's list, or spoke; right to some minutes."""


class BotGroup(Base):
    """A bot is in a group, as its own list said last."""

    __tablename__ = "bot_groups"
    __table_args__ = (Index("ix_bot_groups_group", "platform", "group_id"),)

    platform: Mapped[str] = mapped_column(primary_key=True)
    self_id: Mapped[str] = mapped_column(primary_key=True)
    group_id: Mapped[str] = mapped_column(primary_key=True)


class BotAccess(Base):
    """Who may connect as a bot: its own token, and whether it was sent away."""

    __tablename__ = "bot_access"

    bot: Mapped[str] = mapped_column(primary_key=True)
    """`platform:self_id`, of a bot that need not have been here yet."""
    token_hash: Mapped[bytes | None]
    """SHA-256 of its own token, which then counts in place of the common one."""
    hint: Mapped[str] = mapped_column(server_default="")
    """How the token begins."""
    kicks: Mapped[int] = mapped_column(server_default="0")
    """Raised by one whenever its links are to be closed."""
    banned_until: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_by: Mapped[str] = mapped_column(server_default="")


class RoutingRule(Base):
    """A routing rule (`botmatrix.routing.rule.Rule`)."""

    __tablename__ = "routing_rules"

    key: Mapped[str] = mapped_column(primary_key=True)
    target: Mapped[str]
    """A worker's id or `pool:NAME`, several with commas between, or `block`."""
    priority: Mapped[int] = mapped_column(default=0)
    fallback: Mapped[str] = mapped_column(default="balance")
    deliver: Mapped[str] = mapped_column(default="one")
    disabled: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class AlertRule(Base):
    """When to raise an alarm, and whom to tell."""

    __tablename__ = "alert_rules"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str]
    kind: Mapped[str]
    """One of `control.alert_conditions.KINDS`."""
    subject: Mapped[str] = mapped_column(server_default="")
    """The only bot or pool that counts; empty: any."""
    threshold: Mapped[float]
    """Seconds or a number, as the kind has it."""
    enabled: Mapped[bool] = mapped_column(default=True)
    webhook: Mapped[str] = mapped_column(server_default="")
    """Where to POST. Part of it may be a secret."""
    bot: Mapped[str] = mapped_column(server_default="")
    """Through which bot to say it, `platform:self_id`."""
    target: Mapped[str] = mapped_column(server_default="")
    """To whom: `group:ID` or `private:ID`."""
    mail: Mapped[str] = mapped_column(server_default="")
    """Addresses to mail it to, with `, ` between them."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Alert(Base):
    """One alarm: since when, until when, and whether everybody was told."""

    __tablename__ = "alerts"
    __table_args__ = (
        Index("ix_alerts_open", "rule_id", "subject", unique=True, postgresql_where=text("ended_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    rule_id: Mapped[int] = mapped_column(ForeignKey("alert_rules.id", ondelete="CASCADE"), index=True)
    subject: Mapped[str]
    words: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    ended_at: Mapped[datetime | None]
    untold: Mapped[bool] = mapped_column(default=True)
    """Its last change is still to be told."""
    tries: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime] = mapped_column(server_default=func.now())
    problem: Mapped[str] = mapped_column(server_default="")
    """Why the last try to tell it failed."""


class PluginValue(Base):
    """A value that a plugin keeps. Keys are compared by their bytes."""

    __tablename__ = "plugin_values"

    plugin: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(collation="C"), primary_key=True)
    value: Mapped[str]
    """JSON, as the plugin gave it."""
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())

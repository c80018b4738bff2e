"""What each setting means, in one line, for the console and the command line; and where it may be kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ABOUT: Final[Mapping[str, str]] = {
    "gateway_host": "Where the gateway listens.",
    "ws_port": "The gateway's port.",
    "control_host": "Where the console and REST listen.",
    "webui_port": "The port of the console and REST.",
    "root_path": "The path below which a reverse proxy serves the console.",
    "trusted_proxies": "Addresses or networks whose forwarded headers count.",
    "redis_url": "The address of Redis or Valkey; empty: `up` runs one of its own.",
    "database_url": "The address of PostgreSQL; empty: `up` runs one of its own.",
    "bot_token": "What bots must show.",
    "worker_token": "What OneBot applications and workers over WebSocket must show.",
    "enable_skill": "Whether the skill system is on.",
    "default_admin_password": "Used once, when no administrator exists.",
    "worker_id": "The id of a worker.",
    "worker_pool": "The pool that workers belong to.",
    "worker_concurrency": "Events that a worker handles at once.",
    "plugin_dirs": "Folders with plugins; relative ones are in the data folder.",
    "disabled_plugins": "Ids of plugins that are not loaded.",
    "plugin_grants": "PLUGIN:ACTION: of what it asks for, a plugin that is named here may do only this.",
    "skill_permissions": "NAME:PERMISSION: who may use a skill: public, member, admin, owner, off.",
    "nexus_id": "The id of a nexus.",
    "command_prefixes": "What commands begin with.",
    "chat_admins": "People who may command the hub from chat: platform:user_id.",
    "onebot_apps": "OneBot applications that the nexus dials.",
    "bots": "Bots' own servers that the nexus dials, and bots that speak only HTTP.",
    "safe_mode": "Whether only the plugins that BotMatrix brings along are loaded.",
    "record_sessions": "Whether workers write what everybody said last to Redis, also when no plugin asks for it.",
    "message_days": "Days that messages are kept for history and search; 0: not at all.",
    "trace_days": "Days that the roads of events are kept; 0: not at all.",
    "max_frame": "The longest WebSocket message, in bytes.",
    "audit_days": "Days that the operation log is kept.",
    "smtp_url": "The mail server that alerts are sent by; empty: no mail.",
    "mail_from": "The address that mail of alerts comes from.",
    "log_level": "The least severe messages that are logged.",
    "log_format": "Log lines for people (console) or for programs (json).",
}

LOCAL: Final = frozenset(
    {
        *("gateway_host", "ws_port", "control_host", "webui_port", "redis_url", "database_url"),
        *("worker_id", "nexus_id", "default_admin_password"),
    }
)
"""Differ from node to node, or are needed before the database can be asked: never kept in it."""

FOR_OWNERS: Final = frozenset({"bot_token", "worker_token", "onebot_apps", "bots", "smtp_url", "plugin_dirs"})
"""Hold secrets, or say which code runs."""

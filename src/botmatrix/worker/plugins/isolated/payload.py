"""What a plugin of any language is told of an event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botmatrix.sdk.said import hear
from botmatrix.sdk.services import Services


def event_payload(
    bot: str, event: Mapping[str, Any], services: Services, event_id: str, received_at: float = 0
) -> dict[str, Any]:
    """Ids are texts, empty when there is none; `raw` is the bot's own event. `event_id`: to find it by in BotMatrix.

    `received_at`: unix seconds; 0 is now.
    """
    settings = services.settings
    platform, _, self_id = bot.partition(":")
    user, group = _id(event.get("user_id")), _id(event.get("group_id") or None)
    is_message = event.get("post_type") == "message"
    return {
        "from": user,
        "user_id": user,
        "group_id": group,
        "text": hear(event, self_id).text if is_message else "",
        "platform": platform,
        "self_id": self_id,
        "message_id": _id(event.get("message_id")),
        "event_id": event_id,
        "received_at": received_at or services.clock.now(),
        "prefixes": settings.command_prefixes,
        "chat_admin": f"{platform}:{user}" in settings.chat_admins,
        "raw": event,
    }


def _id(value: object) -> str:
    return "" if value is None else str(value)

"""One event of a bot: what the hub needs to know of it, and the bot's own bytes."""

from __future__ import annotations

import msgspec


class Event(msgspec.Struct, gc=False):
    """An event that a bot sent; everything that is not a field stays in `raw`.

    `post_type`: message, message_sent, notice, request or meta_event. `detail_type`: its message_type,
    notice_type, request_type or meta_event_type. Ids are text (`ids.py`); `""` when absent. `time`: unix
    seconds, 0 when absent. `raw`: the frame's own JSON, one object in valid UTF-8, fit to be embedded in
    another document as it is.
    """

    post_type: str
    detail_type: str
    sub_type: str
    self_id: str
    user_id: str
    group_id: str
    message_id: str
    time: int
    raw: bytes

    @property
    def conv(self) -> str:
        """The conversation inside its bot: `group:ID`, `private:ID`, or `bot` for what belongs to neither."""
        if self.group_id and self.detail_type != "private":
            return f"group:{self.group_id}"
        if self.user_id:
            return f"private:{self.user_id}"
        return "bot"

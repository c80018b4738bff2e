"""Close codes of the gateway: what each means to a bot, and whether to come back.

| code | why | come back? |
|---|---|---|
| 1000, 1001 | the bot closed; its own code is sent back | as it likes |
| 1002 | broken WebSocket framing | yes, once the client is mended |
| 1007 | a message that is not UTF-8 | yes, once the client is mended |
| 1008 | a message that never ends, or one in too many fragments | yes |
| 1009 | a message over `max_frame` | yes; the same message will be refused again |
| 1012 | the hub restarts | yes, at once |
| 1013 | the bot reads too slowly, or the hub is catching up | yes, after some seconds |
| 4001 | superseded: a newer link of this bot was accepted, here or on another nexus | no |
| 4003 | the token belongs to another bot | no: correct the token or the id |
| 4008 | no sign of life, or no name within ten seconds | yes |
| 4009 | another link of this bot is alive | only after the other client was stopped |
| 4010 | dropped by an operator | no |
| 4029 | too many links in a short time | after ten seconds |
"""

from __future__ import annotations

from typing import Final

NORMAL: Final = 1000
PROTOCOL_ERROR: Final = 1002
INVALID_TEXT: Final = 1007
POLICY: Final = 1008
TOO_BIG: Final = 1009
RESTART: Final = 1012
TRY_LATER: Final = 1013
SUPERSEDED: Final = 4001
FORBIDDEN: Final = 4003
SILENT: Final = 4008
DUPLICATE: Final = 4009
DROPPED: Final = 4010
TOO_OFTEN: Final = 4029

_RESERVED: Final = frozenset({1004, 1005, 1006})


def may_be_sent(code: int) -> bool:
    """Whether RFC 6455 (7.4) lets a peer send this code in a Close frame."""
    return 3000 <= code <= 4999 or (1000 <= code <= 1014 and code not in _RESERVED)


def reason_bytes(reason: str) -> bytes:
    """The reason as it fits into a control frame: at most 123 bytes of UTF-8."""
    return reason.encode()[:123].decode(errors="ignore").encode()

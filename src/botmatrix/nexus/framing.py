"""Text frames as they go on the wire (RFC 6455, 5.2). Nothing here knows a socket."""

from __future__ import annotations

import os
import struct
from typing import Final

_TEXT: Final = 0x81  # the last frame of a message, and the only one
_MASKED: Final = 0x80
_SHORT, _LONG = struct.Struct("!BBH").pack, struct.Struct("!BBQ").pack


def text_frame(payload: bytes, *, masked: bool = False) -> bytes:
    """One whole text message. `masked`: as a client has to send it, with a fresh key (5.3)."""
    size, bit = len(payload), _MASKED if masked else 0
    if size < 126:
        head = bytes((_TEXT, bit | size))
    elif size < 1 << 16:
        head = _SHORT(_TEXT, bit | 126, size)
    else:
        head = _LONG(_TEXT, bit | 127, size)
    return head + _mask(payload, os.urandom(4)) if masked else head + payload


def _mask(payload: bytes, key: bytes) -> bytes:
    """The key, and the payload under it: as one large number, for a loop over the bytes takes far longer."""
    size = len(payload)
    keys = (key * (size // 4 + 1))[:size]
    return key + (int.from_bytes(payload, "little") ^ int.from_bytes(keys, "little")).to_bytes(size, "little")

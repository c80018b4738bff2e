"""Actions towards a bot and what it answers."""

from __future__ import annotations

from functools import lru_cache

import msgspec

NULL = msgspec.Raw(b"null")
BAD_RETCODE = -1
"""Stands for a retcode that is missing from a failure, or is no integer."""


class ActionResponse(msgspec.Struct, gc=False):
    """What a bot answered to one action.

    `retcode` is 0 (or 1 for an asynchronous action) on success. `data` is JSON. `raw` is the whole answer
    in the bot's own bytes, with the hub's echo in it.
    """

    status: str
    retcode: int
    data: msgspec.Raw
    message: str
    wording: str
    raw: bytes

    @property
    def ok(self) -> bool:
        """Whether the bot says that it was done, or that it will be."""
        return self.status in ("ok", "async")


def request_frame(action: str, params: bytes, echo: str) -> bytes:
    """The frame that asks a bot for an action. `params` is a JSON object, or empty; it is not decoded."""
    return b'{"action":%b,"params":%b,"echo":"%b"}' % (_quoted(action), params or b"{}", echo.encode())


@lru_cache(maxsize=256)
def _quoted(text: str) -> bytes:
    return msgspec.json.encode(text)

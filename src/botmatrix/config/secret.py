"""A string that does not show itself."""

from __future__ import annotations

import re

_URL_PASSWORD = re.compile(r"(?P<head>^[a-z][a-z0-9+.-]*://[^/?#]*?:)[^/?#]*(?=@)", re.IGNORECASE)
MASK = "***"


class Secret(str):
    """A token, a password or a URL with one: an ordinary string whose `repr` is masked.

    It goes into a header or a connection as any string does; what prints objects (a traceback, a dataclass's
    `repr`, a log of values) shows `***`, or the URL without its password.
    """

    __slots__ = ()

    @property
    def masked(self) -> str:
        """What may be shown to people."""
        text = str(self)
        if not text:
            return ""
        return _URL_PASSWORD.sub(rf"\g<head>{MASK}", text) if "://" in text else MASK

    def __repr__(self) -> str:
        return f"Secret({self.masked!r})"

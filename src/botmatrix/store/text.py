"""What a person may type, checked before it reaches a table. PostgreSQL can't store NUL."""

from __future__ import annotations

import unicodedata
from typing import Final

from botmatrix.errors import BotMatrixError

USERNAME_LENGTH: Final = 64
LABEL_LENGTH: Final = 64
PASSWORD_LENGTH: Final = (8, 1024)


class BadValue(BotMatrixError):
    """A value can't be accepted: `field` and, in words, why. Never carries the value itself."""

    def __init__(self, field: str, reason: str) -> None:
        self.field, self.reason = field, reason
        super().__init__(f"{field}: {reason}")


def username(value: str) -> str:
    """The name in normal form (NFKC): 1 to 64 visible characters, no spaces. Raises `BadValue`."""
    name = unicodedata.normalize("NFKC", value)
    if not 0 < len(name) <= USERNAME_LENGTH:
        raise BadValue("username", f"must have 1 to {USERNAME_LENGTH} characters")
    if not name.isprintable() or any(letter.isspace() for letter in name):
        raise BadValue("username", "must not have spaces or invisible characters")
    return name


def username_key(value: str) -> str:
    """The form in which two spellings of one name are equal."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", value).casefold())


def new_password(value: str) -> str:
    """A password somebody chose: 8 to 1024 characters, no control characters. Raises `BadValue`."""
    shortest, longest = PASSWORD_LENGTH
    if not shortest <= len(value) <= longest:
        raise BadValue("password", f"must have {shortest} to {longest} characters")
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in value):
        raise BadValue("password", "must not have control characters")
    return value


def label(field: str, value: str) -> str:
    """A name for a thing: 1 to 64 visible characters, spaces inside. Raises `BadValue`."""
    name = unicodedata.normalize("NFKC", value).strip()
    if not 0 < len(name) <= LABEL_LENGTH or not name.isprintable():
        raise BadValue(field, f"must have 1 to {LABEL_LENGTH} visible characters")
    return name


def line(value: str, length: int) -> str:
    """A foreign text (a user agent, an address) made storable: one line, cut to `length`."""
    cut = value[:length]
    return cut if cut.isprintable() else "".join(letter if letter.isprintable() else "�" for letter in cut)

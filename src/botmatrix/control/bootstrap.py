"""The first administrator: made once, when there is none; never reset afterwards."""

from __future__ import annotations

import secrets
import string
from typing import Final

import structlog

from botmatrix.config import Home
from botmatrix.store.text import username_key
from botmatrix.store.users import UserExists, Users

ADMINISTRATOR: Final = "admin"
_LENGTH: Final = 24
_ALPHABET: Final = string.ascii_letters + string.digits

log = structlog.get_logger(__name__)


async def ensure_administrator(users: Users, home: Home, default_password: str) -> None:
    """Make the owner `admin` when no administrator exists. Raises `EngineUnavailable`.

    Without a default password one of 24 characters is generated and written to HOME/admin-password.txt (0600).
    """
    if await users.has_administrator():
        return
    password = default_password or "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))

    def keep() -> None:
        if not default_password:
            home.write_private(home.admin_password, password + "\n")

    try:
        made = await users.create_first(ADMINISTRATOR, password, keep)
    except UserExists:
        log.error("no administrator exists, and the name is taken by another user", username=ADMINISTRATOR)
        return
    if made is not None:
        where = "default_admin_password" if default_password else str(home.admin_password)
        log.info("made the first administrator", username=ADMINISTRATOR, password_is_in=where)


def still_has_first_password(home: Home, username: str) -> bool:
    """Whether `username` was given a generated password that nobody has changed yet."""
    return username_key(username) == ADMINISTRATOR and home.admin_password.exists()


def forget_first_password(home: Home, username: str) -> None:
    """The password of `username` was changed: a file that names the first one is of no use any more."""
    if username_key(username) == ADMINISTRATOR:
        home.admin_password.unlink(missing_ok=True)

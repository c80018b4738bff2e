"""How one value is read, from JSON or from the text of an environment variable.

Every reader takes what it found and returns the typed value, or raises `ValueError` (or `TypeError`);
the words for people are the option's `expected`.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from botmatrix.config.secret import Secret

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}")
_UNWRITABLE = re.compile("[\x00-\x1f\ud800-\udfff]")
_SIZE = re.compile(r"(\d+)\s*(|b|k|kb|kib|m|mb|mib|g|gb|gib)", re.IGNORECASE)
_UNITS = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.\-]*[A-Za-z0-9_])?\.?")


def text(value: Any) -> str:
    """A string without control and half characters; blanks around it are dropped."""
    if not isinstance(value, str) or _UNWRITABLE.search(value):
        raise ValueError(value)
    return value.strip()


def secret(value: Any) -> Secret:
    """A token or password: visible ASCII, since it travels in headers; empty is a value of its own."""
    found = text(value)
    if not all(33 <= ord(character) <= 126 for character in found):
        raise ValueError("not visible ASCII")
    return Secret(found)


def password(value: Any) -> Secret:
    """What people type: any characters but control characters."""
    return Secret(text(value))


def identifier(value: Any) -> str:
    """The id of a worker, a nexus or a pool."""
    found = text(value)
    if not _ID.fullmatch(found):
        raise ValueError(value)
    return found


def flag(value: Any) -> bool:
    """`true`/`1`, `false`/`0`, in any case."""
    words = {"true": True, "1": True, "false": False, "0": False}
    if isinstance(value, float):
        raise TypeError(value)
    return words[str(value).strip().lower()]


def whole(low: int, high: int) -> Callable[[Any], int]:
    """A reader of whole numbers from `low` to `high`, both included."""

    def read(value: Any) -> int:
        if isinstance(value, bool | float):
            raise TypeError(value)
        number = int(value)
        if not low <= number <= high:
            raise ValueError(value)
        return number

    return read


def port(value: Any) -> int:
    """`3001`, `"3001"` or `":3001"`; 0 lets the system choose."""
    if isinstance(value, str):
        value = value.strip().removeprefix(":")
    return whole(0, 65535)(value)


def size(value: Any) -> int:
    """Bytes, from 1 KiB to 1 GiB: `1048576` or `"16 MiB"`."""
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip())
        if match is None:
            raise ValueError(value)
        value = int(match[1]) * _UNITS[match[2][:1].lower().replace("b", "")]
    return whole(1024, 1024**3)(value)


def host(value: Any) -> str:
    """A host name or an address."""
    found = text(value).removeprefix("[").removesuffix("]")
    try:
        return str(ipaddress.ip_address(found))
    except ValueError:
        if not _HOST.fullmatch(found) or found.replace(".", "").isdigit():
            raise
        return found


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches a server on this address."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address.rstrip(".").lower() == "localhost"


def root_path(value: Any) -> str:
    """A path below which the console lives: `/bots`; empty for none."""
    found = text(value).strip("/")
    if not re.fullmatch(r"[A-Za-z0-9._~/\-]*", found) or "//" in found or ".." in found:
        raise ValueError(value)
    return "/" + found if found else ""


def choice(*words: str) -> Callable[[Any], str]:
    """A reader of one of some words, in any case."""

    def read(value: Any) -> str:
        found = text(value).lower()
        if found not in words:
            raise ValueError(value)
        return found

    return read


def url(*schemes: str, default: str | None = None) -> Callable[[Any], Secret]:
    """A reader of URLs of some schemes; the first names the scheme that is kept for `default`."""

    def read(value: Any) -> Secret:
        found = text(value)
        if not found:
            return Secret("")
        scheme, mark, rest = found.partition("://")
        parts = urlsplit(found)
        if not mark or not rest or scheme.lower() not in schemes:
            raise ValueError("scheme")
        if parts.port == 0 or not (parts.hostname or parts.path.strip("/") or parts.query):
            raise ValueError("address")
        return Secret(f"{default or scheme.lower()}://{rest}")

    return read


def listed(item: Callable[[Any], Any], separator: str = ",") -> Callable[[Any], tuple[Any, ...]]:
    """A reader of lists: a JSON list, or words with a separator between them."""

    def read(value: Any) -> tuple[Any, ...]:
        if isinstance(value, str):
            stripped = value.strip()
            value = json.loads(stripped) if stripped.startswith("[") else _split(stripped, separator)
        if not isinstance(value, list | tuple):
            raise TypeError(value)
        return tuple(item(one) for one in value)

    return read


def _split(value: str, separator: str) -> list[str]:
    return [part.strip() for part in value.split(separator) if part.strip()]


def network(value: Any) -> str:
    """An address or a network: `10.0.0.0/8`."""
    return str(ipaddress.ip_network(text(value), strict=False))


def grant(value: object) -> str:
    """`PLUGIN:ACTION`, with `*` for all its actions."""
    found = text(value)
    plugin, colon, action = found.partition(":")
    if not (plugin and colon and action) or ":" in action:
        raise ValueError
    return found


def skill_permission(value: object) -> str:
    """`NAME:PERMISSION` of a skill."""
    name, colon, permission = text(value).rpartition(":")
    if not name or not colon or permission.lower() not in ("public", "member", "admin", "owner", "off"):
        raise ValueError(value)
    return f"{name}:{permission.lower()}"


def person(value: Any) -> str:
    """Somebody on a chat platform: `qq:123`."""
    platform, mark, user = text(value).partition(":")
    if not mark or not user or not re.fullmatch(r"[A-Za-z0-9_\-]+", platform) or re.search(r"\s", user):
        raise ValueError(value)
    return f"{platform.lower()}:{user}"

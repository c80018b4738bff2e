"""Web addresses in a text, in the form in which a browser reads them, against two lists."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

from botmatrix.core.normal import normal
from botmatrix.core.patterns import Patterns

URL = "blacklisted_url_detected"
PATTERN = "blacklisted_url_regex_detected"
LONGEST_PATH: Final = 512
"""Characters of what follows the host that are looked at."""
LONGEST_HOST: Final = 253
MOST_TEXT: Final = 131_072
"""Characters of all addresses together that expressions are searched in."""
_START: Final = re.compile(r"(https?):[/\\]{2,}([^\s/\\?#\"'<>]*)")
_PATH: Final = re.compile(r"[^\s\"'<>]*")
_DOTS: Final = str.maketrans("。｡．", "...")
_HOST: Final = re.compile(r"[\w.\-]*")
_ASCII_HOST: Final = re.compile(r"[\w.\-]*", re.ASCII)
_PORT: Final = re.compile(r"[0-9]*")
_TRAILING: Final = "/.,;:!?)]}>，；：！？）】》、"


class Url:
    """One address. `text`: the whole; `hosts`: its host without user, port and last dot, in ASCII where it can be.

    There are two when a text goes on right after the address, in letters that a host may have: `evil.com看`.
    """

    __slots__ = ("hosts", "text")

    def __init__(self, scheme: str, authority: str, path: str) -> None:
        host, port = _host(authority)
        ascii_only = _ASCII_HOST.match(host)[0].rstrip(".")  # type: ignore[index]
        self.hosts = (_encoded(host), ascii_only) if ascii_only != host else (host,)
        path = path.replace("\\", "/").partition("#")[0].rstrip(_TRAILING)
        self.text = f"{scheme}://{self.hosts[0]}{port}{path}"


def _host(authority: str) -> tuple[str, str]:
    """The host as a browser asks for it, and `:port` unless it says nothing new. Takes normal form."""
    if "%" in authority:
        authority = normal(unquote(authority))
    host, _, rest = authority.rpartition("@")[2].translate(_DOTS).partition(":")
    host = _HOST.match(host)[0].strip(".")[-LONGEST_HOST:]  # type: ignore[index]
    port = _PORT.match(rest)[0]  # type: ignore[index]
    return host, f":{port}" if port not in ("", "80", "443") else ""


def _encoded(host: str) -> str:
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return host


def urls(text: str) -> list[Url]:
    """Every `http://` and `https://` address of a text in normal form; also those inside another one."""
    texts = (text, unquote(text)) if "%" in text else (text,)
    return [
        Url(found[1], found[2], _PATH.match(one, found.end(), found.end() + LONGEST_PATH)[0])  # type: ignore[index]
        for one in texts
        for found in _START.finditer(one)
    ]


def domain(name: str) -> str:
    """A domain as it is compared; empty when it is none."""
    name = normal(name).removeprefix("*").strip(".")
    return _encoded(name) if name and _host(name)[0] == name else ""


def address(text: str) -> str:
    """An address as it is compared; empty when it is none."""
    found = urls(normal(text.strip()))
    return found[0].text if found and found[0].hosts[0] else ""


class UrlList:
    """Addresses, domains with all below them, and expressions."""

    def __init__(self, exact: Iterable[str], domain_suffix: Iterable[str], regex: Iterable[str]) -> None:
        self._exact = frozenset(map(address, exact))
        self._domains = frozenset(map(domain, domain_suffix))
        self._patterns = Patterns(regex)

    def __bool__(self) -> bool:
        return bool(self._exact or self._domains or self._patterns)

    def lists(self, url: Url) -> bool:
        """Whether the address or a domain that it may have is in it."""
        return url.text in self._exact or (bool(self._domains) and any(map(self._has_domain, url.hosts)))

    def vouches(self, url: Url) -> bool:
        """Whether the address is in it for certain, or an expression is found in it."""
        if url.text in self._exact or (bool(self._domains) and all(map(self._has_domain, url.hosts))):
            return True
        return self.matches(url.text)

    def matches(self, text: str) -> bool:
        """Whether an expression is found in an address, or in one of several, a line each."""
        return bool(self._patterns) and self._patterns.found(text)

    def _has_domain(self, host: str) -> bool:
        while host:
            if host in self._domains:
                return True
            host = host.partition(".")[2]
        return False


class UrlFilter:
    """An address on the whitelist passes, whatever the blacklist says of it."""

    def __init__(self, whitelist: UrlList, blacklist: UrlList) -> None:
        self._white, self._black = whitelist, blacklist

    def __bool__(self) -> bool:
        return bool(self._black)

    def reason(self, text: str) -> str:
        """Why a text in normal form is to be blocked; empty when it is not."""
        if "http" not in text:
            return ""
        found = [url for url in urls(text) if not self._white.vouches(url)]
        if any(self._black.lists(url) for url in found):
            return URL
        lines = "\n".join(url.text for url in found)[:MOST_TEXT]
        return PATTERN if self._black.matches(lines) else ""

"""Fetches a package from an address that an administrator gives, and from nowhere else that this leads to.

https, or http on this machine. The address is looked up once per step, and that very address is asked: a name that
means something else a moment later gains nothing. A redirect may lead to public addresses only, or to the same host.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import IO, Final
from urllib.parse import unquote

import httpx

from botmatrix.core.archive import LARGEST
from botmatrix.errors import BotMatrixError
from botmatrix.packaging.package import SUFFIX

PATIENCE: Final = 60.0
"""Seconds for all of it."""
SILENCE: Final = 10.0
"""Seconds without a byte."""
MOST_STEPS: Final = 5
LONGEST_URL: Final = 2000

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_REDIRECTS: Final = (301, 302, 303, 307, 308)


class CantFetch(BotMatrixError):
    """What could not be fetched; says why, without what the other side said."""


async def fetch(url: str, into: IO[bytes]) -> str:
    """Write what is there into a file: the name of the package's file, or nothing if the URL does not tell one.

    Raises `CantFetch`.
    """
    first = at = _parsed(url)
    try:
        async with asyncio.timeout(PATIENCE):
            for _ in range(MOST_STEPS):
                location = await _step(at, await _address(at, first), into)
                if location is None:
                    return _name(first)
                at = _next(at, location)
    except TimeoutError:
        raise CantFetch(f"it took longer than {PATIENCE:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise CantFetch(f"{at.host} could not be asked ({type(error).__name__})") from error
    raise CantFetch(f"it leads on more than {MOST_STEPS} times")


def _parsed(url: str) -> httpx.URL:
    try:
        found = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise CantFetch("this is no URL") from None
    if len(url) > LONGEST_URL or not found.host:
        raise CantFetch("this is no URL that can be fetched")
    if found.userinfo:
        raise CantFetch("a URL with a user or a password in it is not fetched: it would be written down")
    if found.scheme != "https" and not (found.scheme == "http" and _is_here(found.host)):
        raise CantFetch("packages are fetched by https; by http only from this machine")
    return found


def _next(at: httpx.URL, location: str) -> httpx.URL:
    try:
        found = _parsed(str(at.join(location)))
    except (httpx.InvalidURL, ValueError):
        raise CantFetch("it leads on to what is no URL") from None
    if at.scheme == "https" and found.scheme != "https":
        raise CantFetch("it leads on from https to http")
    return found


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _address(at: httpx.URL, first: httpx.URL) -> Address:
    """Where to ask. Raises `CantFetch` for what must not be asked."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(at.host, _port(at), type=socket.SOCK_STREAM)
    addresses = [ipaddress.ip_address(one[4][0]) for one in found]
    for address in addresses:
        real = getattr(address, "ipv4_mapped", None) or address
        if real.is_link_local or real.is_multicast or real.is_unspecified:
            raise CantFetch(f"{at.host} is an address that is not asked")
        if at.scheme == "http" and not real.is_loopback:
            raise CantFetch("packages are fetched by http only from this machine")
        if at.host != first.host and not real.is_global:
            raise CantFetch(f"it leads on to {at.host}, which is not public")
    return addresses[0]


async def _step(at: httpx.URL, address: Address, into: IO[bytes]) -> str | None:
    """Ask once: where it leads on, or None when the file has been written."""
    headers = {"Host": at.netloc.decode(), "Accept-Encoding": "identity"}
    limits = httpx.Timeout(SILENCE, connect=SILENCE / 2)
    # The settings are the only ones that read the environment, and a proxy would look the name up itself.
    async with httpx.AsyncClient(timeout=limits, follow_redirects=False, trust_env=False) as client:
        asked = client.stream(
            "GET", at.copy_with(host=str(address)), headers=headers, extensions={"sni_hostname": at.host}
        )
        async with asked as answer:
            if answer.status_code in _REDIRECTS:
                return str(answer.headers.get("location", ""))
            if answer.status_code != 200:
                raise CantFetch(f"{at.host} answered {answer.status_code}")
            await _save(answer, into)
    return None


async def _save(answer: httpx.Response, into: IO[bytes]) -> None:
    size = 0
    into.seek(0)
    into.truncate()
    async for chunk in answer.aiter_raw():
        size += len(chunk)
        if size > LARGEST:
            raise CantFetch(f"it is larger than {LARGEST >> 20} MiB")
        into.write(chunk)


def _name(url: httpx.URL) -> str:
    name = unquote(url.path).rpartition("/")[2]
    return name if name.endswith(SUFFIX) else ""


def _port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)

"""What each nexus tells of its socket workers, and of the servers that it dials."""

from __future__ import annotations

import msgspec

from botmatrix.bus.client import Client
from botmatrix.bus.keys import Keys


class Figures(msgspec.Struct, frozen=True):
    """What one nexus counts of a socket worker; `response_ms` is a mean, 0 as long as nothing was answered."""

    links: int = 0
    waiting: int = 0
    in_flight: int = 0
    handled: int = 0
    lost: int = 0
    response_ms: float = 0.0


class Told(msgspec.Struct):
    """A socket worker of one nexus. `kind`: `onebot` or `ws`; `bots`: keys, empty for an old worker, which takes all.

    `copied`: it gets a copy of everything, whoever is chosen. `draining`: it was asked to take nothing new.
    """

    id: str
    pool: str
    kind: str
    bots: list[str]
    copied: bool = False
    draining: bool = False
    figures: Figures = Figures()


class ToldLine(msgspec.Struct):
    """A server that is dialled. `state`: `dialling`, `open` or `waiting`, since unix seconds `since`; `error`: why the
    last attempt failed."""

    state: str = ""
    since: float = 0.0
    error: str = ""
    attempts: int = 0


_decode = msgspec.json.Decoder(list[Told]).decode
_decode_line = msgspec.json.Decoder(ToldLine).decode


def read_told(body: bytes | None) -> list[Told]:
    """The socket workers of one nexus; none when it tells nothing that can be read."""
    try:
        return _decode(body) if body else []
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []


async def all_told(client: Client, keys: Keys, *, but: str = "") -> list[Told]:
    """Those of every nexus, one after the other, `but` of one. Raises `EngineUnavailable`, `ReplyError`."""
    names = [inc for inc in await _nexuses(client, keys) if inc != but]
    bodies = await client.pipeline(*(("GET", keys.sockets(inc)) for inc in names)) if names else []
    return [one for body in bodies for one in read_told(body if isinstance(body, bytes) else None)]


async def all_lines(client: Client, keys: Keys) -> list[tuple[str, str, ToldLine]]:
    """Nexus, name and state of each server that is dialled. Raises `EngineUnavailable`, `ReplyError`."""
    names = await _nexuses(client, keys)
    hashes = await client.pipeline(*(("HGETALL", keys.lines(inc)) for inc in names)) if names else []
    found = []
    for inc, flat in zip(names, hashes, strict=True):
        pairs = zip(flat[::2], flat[1::2], strict=True) if isinstance(flat, list) else ()
        found += [(inc, name.decode(errors="replace"), _line(body)) for name, body in pairs]
    return found


async def _nexuses(client: Client, keys: Keys) -> list[str]:
    return sorted(inc.decode(errors="replace") for inc in await client.call("SMEMBERS", keys.nexuses))


def _line(body: bytes) -> ToldLine:
    try:
        return _decode_line(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ToldLine()

"""Bots to dial are shown without their secrets: what comes back without them keeps those that it had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botmatrix.config import BotServer, HttpBot
from botmatrix.config.view import shown

KEY = "bots"


def with_kept(change: Mapping[str, Any], servers: Sequence[BotServer | HttpBot]) -> dict[str, Any]:
    """The change, with the secrets of those `bots` whose address is one that is dialled already.

    An address is compared, and comes back, as it is shown: with what is secret in it masked.
    """
    entries = change.get(KEY)
    if not isinstance(entries, list):
        return dict(change)
    former = {_address(shown(one)): _written(one) for one in servers}
    return {**change, KEY: [_kept(entry, former) for entry in entries]}


def _kept(entry: Any, former: Mapping[str, Mapping[str, str]]) -> Any:
    if not isinstance(entry, Mapping) or (found := former.get(_address(entry))) is None:
        return entry
    addresses = {name: found[name] for name in ("url", "http") if name in found}
    return {**found, **entry, **addresses}


def _address(entry: Mapping[str, Any]) -> str:
    return str(entry.get("url") or entry.get("http") or "")


def _written(server: BotServer | HttpBot) -> dict[str, str]:
    """What is not shown, and the address in full."""
    if isinstance(server, BotServer):
        return {"url": server.url, "token": str(server.token)}
    return {"http": server.http, "token": str(server.token), "secret": str(server.secret)}

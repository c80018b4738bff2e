"""Readers of the two settings that list servers to dial: `bots` and `onebot_apps`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botmatrix.config import values
from botmatrix.config.settings import BotServer, OneBotApp

_socket_url = values.url("ws", "wss")


def bot_server(value: Any) -> BotServer:
    """An entry of `bots`: `{url, token?, platform?}`."""
    found = _fields(value, "url", "token", "platform")
    return BotServer(
        url=_address(found),
        token=values.secret(found.get("token", "")),
        platform=values.identifier(found.get("platform", "qq")).lower(),
    )


def onebot_app(value: Any) -> OneBotApp:
    """An entry of `onebot_apps`: `{name, url, token?, bots?, deliver?, format?}`."""
    found = _fields(value, "name", "url", "token", "bots", "deliver", "format")
    return OneBotApp(
        name=values.identifier(found.get("name")),
        url=_address(found),
        token=values.secret(found.get("token", "")),
        bots=values.listed(values.person)(found.get("bots", [])),
        deliver=values.choice("one", "all")(found.get("deliver", "one")),
        format=values.choice("", "array")(found.get("format", "")),
    )


def _fields(value: Any, *known: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not set(value) <= set(known):
        raise TypeError(value)
    return value


def _address(found: Mapping[str, Any]) -> str:
    address = str(_socket_url(found.get("url")))
    if not address:
        raise ValueError("url")
    return address

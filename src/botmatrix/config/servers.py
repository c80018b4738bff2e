"""Readers of the two settings that list servers to dial: `bots` and `onebot_apps`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from botmatrix.config import values
from botmatrix.config.settings import EVERYBODY, BotServer, HttpBot, OneBotApp

MAX_QUICK: Final = 10.0
"""Seconds for which the answer to an event may wait at most: clients give up after little more."""

_socket_url = values.url("ws", "wss")
_http_url = values.url("http", "https")


def bot_server(value: Any) -> BotServer | HttpBot:
    """An entry of `bots`: `{url, token?, platform?}`, or that of an `HttpBot`."""
    if isinstance(value, Mapping) and "http" in value:
        return _http_bot(value)
    found = _fields(value, "url", "token", "platform")
    return BotServer(
        url=_address(found),
        token=values.secret(found.get("token", "")),
        platform=values.identifier(found.get("platform", "qq")).lower(),
    )


def _http_bot(value: Mapping[str, Any]) -> HttpBot:
    found = _fields(value, "http", "self_id", "token", "platform", "secret", "quick", "direct")
    address = str(_http_url(found.get("http"))).rstrip("/")
    self_id = values.text(str(found.get("self_id", "")))
    quick = float(found.get("quick", 0))
    if not address or "?" in address or not self_id or len(self_id) > 128 or not 0 <= quick <= MAX_QUICK:
        raise ValueError(value)
    return HttpBot(
        http=address,
        self_id=self_id,
        token=values.secret(found.get("token", "")),
        platform=values.identifier(found.get("platform", "qq")).lower(),
        secret=values.password(found.get("secret", "")),
        quick=quick,
        direct=values.listed(_worker)(found.get("direct", [])),
    )


def _worker(value: Any) -> str:
    """The id of a worker, or `*` for all of them."""
    return EVERYBODY if value == EVERYBODY else values.identifier(value)


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

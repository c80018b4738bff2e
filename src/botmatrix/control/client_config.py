"""Configuration of bot clients, ready to be pasted: each connects by reverse WebSocket to the gateway."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

HEARTBEAT_MS: Final = 30_000
RECONNECT_MS: Final = 5_000
NAME: Final = "BotMatrix"
OWN_TOKEN: Final = "PUT-THE-TOKEN-OF-THIS-BOT-HERE"  # noqa: S105 - no secret
"""Stands where a bot's own token belongs, which nobody but its owner knows."""


class Client(StrEnum):
    """Clients whose configuration is known."""

    NAPCAT = "napcat"
    LLONEBOT = "llonebot"
    LAGRANGE = "lagrange"
    GO_CQHTTP = "go-cqhttp"


@dataclass(frozen=True, slots=True)
class Place:
    """Where to connect, and with which token."""

    url: str
    self_id: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ready:
    """`text` belongs into `file`; `note` says what to do with it."""

    file: str
    text: str = field(repr=False)
    note: str


def gateway_url(bound: str, port: int, asked: str) -> str:
    """The gateway's URL; when it listens everywhere, under the name `asked` by which the reader came."""
    try:
        address = ipaddress.ip_address(bound)
    except ValueError:
        return f"ws://{bound}:{port}/onebot/v11/ws"
    host = asked if address.is_unspecified else bound
    return f"ws://{f'[{host}]' if ':' in host else host}:{port}/onebot/v11/ws"


def ready(client: Client, place: Place) -> Ready:
    """The configuration of this client."""
    return _MAKERS[client](place)


def _napcat(place: Place) -> Ready:
    link = {
        **{"name": NAME, "enable": True, "url": place.url, "token": place.token},
        **{"messagePostFormat": "array", "reportSelfMessage": False, "debug": False},
        **{"heartInterval": HEARTBEAT_MS, "reconnectInterval": RECONNECT_MS},
    }
    others: dict[str, Any] = {"httpServers": [], "httpClients": [], "websocketServers": []}
    text = _json({"network": {**others, "websocketClients": [link]}})
    note = "Put it into NapCat's config folder, or add a WebSocket client with these values in its WebUI."
    return Ready(f"onebot11_{place.self_id}.json", text, note)


def _llonebot(place: Place) -> Ready:
    link = {
        **{"type": "ws-reverse", "name": NAME, "enable": True, "url": place.url, "token": place.token},
        **{"heartInterval": HEARTBEAT_MS, "messageFormat": "array"},
        **{"reportSelfMessage": False, "reportOfflineMessage": False, "debug": False},
    }
    note = "Merge it into LLOneBot's (LLBot's) configuration, or add a reverse WebSocket with these values on its page."
    return Ready(f"config_{place.self_id}.json", _json({"ob11": {"enable": True, "connect": [link]}}), note)


def _lagrange(place: Place) -> Ready:
    parts = urlsplit(place.url)
    link = {
        **{"Type": "ReverseWebSocket", "Host": parts.hostname, "Port": parts.port, "Suffix": parts.path},
        **{"ReconnectInterval": RECONNECT_MS, "HeartBeatInterval": HEARTBEAT_MS, "AccessToken": place.token},
    }
    note = "Put this entry among the Implementations of Lagrange.OneBot's appsettings.json."
    return Ready("appsettings.json", _json({"Implementations": [link]}), note)


def _go_cqhttp(place: Place) -> Ready:
    text = (
        "heartbeat:\n"
        f"  interval: {HEARTBEAT_MS // 1000}\n"
        "message:\n"
        "  post-format: array\n"
        "servers:\n"
        "  - ws-reverse:\n"
        f"      universal: {json.dumps(place.url)}\n"
        f"      reconnect-interval: {RECONNECT_MS}\n"
        "      middlewares:\n"
        f"        access-token: {json.dumps(place.token)}\n"
    )
    return Ready("config.yml", text, "Replace the sections of the same names in go-cqhttp's config.yml.")


_MAKERS: Final[Mapping[Client, Callable[[Place], Ready]]] = {
    Client.NAPCAT: _napcat,
    Client.LLONEBOT: _llonebot,
    Client.LAGRANGE: _lagrange,
    Client.GO_CQHTTP: _go_cqhttp,
}


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"

"""Configuration of OneBot applications, ready to be pasted: each is a worker for one bot.

NoneBot2 and Koishi dial the gateway; AstrBot waits to be dialled, so for it the hub's own setting is what matters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final

from botmatrix.control.client_config import NAME, Place, Ready

PATH: Final = "/onebot/v11/app/"
ASTRBOT_PORT: Final = 6199
_UNPLAIN: Final = re.compile(r"[^A-Za-z0-9_.\-]+")


class Application(StrEnum):
    """Applications whose configuration is known."""

    NONEBOT2 = "nonebot2"
    KOISHI = "koishi"
    ASTRBOT = "astrbot"


def app_url(gateway: str, bot: str) -> str:
    """Where an application of this bot (`platform:self_id`) dials; `gateway` is the URL for bots."""
    platform, _, self_id = bot.partition(":")
    return gateway.removesuffix("/onebot/v11/ws") + PATH + (self_id if platform == "qq" else bot)


def ready_app(application: Application, place: Place) -> Ready:
    """The configuration of this application; `place` is where it dials, with the workers' token."""
    return _MAKERS[application](place)


def app_entry(application: Application, bot: str, token: str) -> dict[str, Any]:
    """The entry of `onebot_apps` by which the hub dials the application instead (reverse WebSocket)."""
    url = {
        Application.NONEBOT2: "ws://127.0.0.1:8080/onebot/v11/ws",
        Application.KOISHI: "ws://127.0.0.1:5140/onebot",
        Application.ASTRBOT: f"ws://127.0.0.1:{ASTRBOT_PORT}/ws",
    }[application]
    entry: dict[str, Any] = {"name": _name(application, bot), "url": url, "token": token, "bots": [bot]}
    if application is Application.ASTRBOT:  # it answers people with a complaint when a message is no array
        entry["format"] = "array"
    return entry


def _name(application: Application, bot: str) -> str:
    """Another one for each bot: entries of the same name replace one another."""
    platform, _, self_id = bot.partition(":")
    return _UNPLAIN.sub("-", f"{application.value}-{self_id if platform == 'qq' else bot}").strip("-.")[:64]


def _nonebot2(place: Place) -> Ready:
    text = (
        "DRIVER=~websockets\n"
        f"ONEBOT_V11_WS_URLS={json.dumps([place.url])}\n"
        f"ONEBOT_V11_ACCESS_TOKEN={json.dumps(place.token)}\n"
    )
    note = "Add these lines to NoneBot2's .env; keep other drivers with DRIVER=~fastapi+~websockets."
    return Ready(".env", text, note)


def _koishi(place: Place) -> Ready:
    text = (
        "plugins:\n"
        "  adapter-onebot:botmatrix:\n"
        "    protocol: ws\n"
        f"    selfId: {json.dumps(place.self_id)}\n"
        f"    endpoint: {json.dumps(place.url)}\n"
        f"    token: {json.dumps(place.token)}\n"
    )
    note = (
        "Merge it into koishi.yml, or add the adapter with these values in its console. It never dials again after a "
        "link has ended: where the hub restarts, let the hub dial instead."
    )
    return Ready("koishi.yml", text, note)


def _astrbot(place: Place) -> Ready:
    platform = {
        **{"id": NAME.lower(), "type": "aiocqhttp", "enable": True},
        **{"ws_reverse_host": "127.0.0.1", "ws_reverse_port": ASTRBOT_PORT, "ws_reverse_token": place.token},
    }
    text = json.dumps({"platform": [platform]}, indent=2, ensure_ascii=False) + "\n"
    note = (
        "Add this platform to AstrBot's data/cmd_config.json, or in its WebUI. AstrBot waits for the hub: put the "
        "entry for `onebot_apps` into the hub's settings. It serves one bot on each port."
    )
    return Ready("cmd_config.json", text, note)


_MAKERS: Final[Mapping[Application, Callable[[Place], Ready]]] = {
    Application.NONEBOT2: _nonebot2,
    Application.KOISHI: _koishi,
    Application.ASTRBOT: _astrbot,
}

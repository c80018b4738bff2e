"""What a person pastes into a bot client to connect it."""

from __future__ import annotations

import ipaddress
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from botmatrix.control.auth import ADMIN
from botmatrix.control.errors import protected
from botmatrix.control.parts import UsedParts

router = APIRouter(prefix="/api", tags=["bots"], dependencies=[ADMIN])


class ConnectInfo(BaseModel):
    """Where a OneBot v11 client connects to (reverse WebSocket), and its access token."""

    success: Literal[True] = True
    url: str
    token: str


@router.get("/connect-info", responses=protected())
async def connect_info(request: Request, parts: UsedParts) -> ConnectInfo:
    """The gateway's URL and token."""
    host = _reachable(parts.settings.gateway_host, request.url.hostname or "127.0.0.1")
    url = f"ws://{host}:{parts.settings.ws_port}/onebot/v11/ws"
    return ConnectInfo(url=url, token=str(parts.settings.bot_token))


def _reachable(bound: str, asked: str) -> str:
    """The gateway's host; when it listens everywhere, the name by which the reader found this page."""
    try:
        address = ipaddress.ip_address(bound)
    except ValueError:
        return bound
    host = asked if address.is_unspecified else bound
    return f"[{host}]" if ":" in host else host

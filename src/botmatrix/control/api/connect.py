"""What a person pastes into a bot client to connect it."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from botmatrix.control.auth import ADMIN
from botmatrix.control.client_config import gateway_url
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
    asked = request.url.hostname or "127.0.0.1"
    url = gateway_url(parts.settings.gateway_host, parts.settings.ws_port, asked)
    return ConnectInfo(url=url, token=str(parts.settings.bot_token))

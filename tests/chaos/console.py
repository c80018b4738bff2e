"""PostgreSQL and a control process on it, and somebody who asks it things."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from bench.parts import Part, botmatrix, free_port
from tests.postgres import PostgresProcess

PASSWORD = "chaos-password-of-loopback"


class Console:
    """Starts with `start`, which logs in; `env` is what every part of the stack gets."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._data = Path(tempfile.mkdtemp(prefix="bm-chaos-postgres-"))  # its own: it belongs to another account
        self.postgres = PostgresProcess(self._data)
        self.port = free_port()
        home = folder / "home-control"
        home.mkdir(mode=0o700)
        own = {"WEBUI_PORT": str(self.port), "DEFAULT_ADMIN_PASSWORD": PASSWORD, "BOTMATRIX_HOME": str(home)}
        self.database = {"DATABASE_URL": self.postgres.url()}
        self.part = Part("control", botmatrix("control"), folder / "control.log", {**env, **self.database, **own})
        self._http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=30)

    async def start(self) -> None:
        """Returns when somebody is logged in. Raises `TimeoutError`."""
        await asyncio.to_thread(self.postgres.start)
        self.part.start()
        async with asyncio.timeout(90):
            while not await self._login():
                await asyncio.sleep(0.1)

    async def stop(self) -> None:
        await self._http.aclose()
        await asyncio.to_thread(self.part.stop)
        await asyncio.to_thread(self.postgres.stop, kill=True)
        shutil.rmtree(self._data, ignore_errors=True)

    async def get(self, path: str) -> httpx.Response:
        """What it answers. Raises `httpx.HTTPError` when it answers nothing."""
        return await self._http.get(path)

    async def post(self, path: str, body: Mapping[str, Any]) -> httpx.Response:
        """The same with a body."""
        return await self._http.post(path, json=body)

    async def _login(self) -> bool:
        try:
            answer = await self.post("/api/login", {"username": "admin", "password": PASSWORD})
        except httpx.HTTPError:
            return False
        if answer.status_code != httpx.codes.OK:
            return False
        self._http.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        self._http.cookies.clear()
        return True

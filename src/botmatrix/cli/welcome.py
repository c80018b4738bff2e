"""What `up` prints when everything runs: where to go and what to paste."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx

from botmatrix.config import Settings, remembered, resolve

PATIENCE = 60.0
"""Seconds to wait for everything to be ready before saying what is not."""
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - names of what others chose


class Welcome:
    """Waits for the parts, then prints addresses, the token and, at the first start, the password."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self._settings, self._say = settings, say
        self._first_start = not settings.home.admin_password.exists()

    async def run(self) -> None:
        """Returns when it has been printed."""
        missing = await self._wait()
        for line in self.lines(missing):
            self._say(line)

    async def _wait(self) -> str:
        """Empty when all is ready; else what is missing when patience ended."""
        missing = "the console does not answer"
        url = f"{self.console}/readyz"
        async with httpx.AsyncClient(timeout=2, trust_env=False) as client:
            try:
                async with asyncio.timeout(PATIENCE):
                    while missing := await _missing(client, url):  # noqa: ASYNC110 - another process's state
                        await asyncio.sleep(0.1)
            except TimeoutError:
                return missing
        return ""

    @property
    def console(self) -> str:
        """Where the console is, for this machine."""
        settings = self._settings
        return f"http://{reachable(settings.control_host)}:{settings.webui_port}{settings.root_path}"

    @property
    def gateway(self) -> str:
        """Where bots connect."""
        return f"ws://{reachable(self._settings.gateway_host)}:{self._settings.ws_port}/onebot/v11/ws"

    def lines(self, missing: str) -> list[str]:
        """What is printed. `missing`: what is not ready yet, or empty."""
        settings = self._settings
        head = f"BotMatrix is starting; not ready yet: {missing}" if missing else "BotMatrix is up."
        lines = ["", head, ""]
        lines += [f"  Console    {self.console}", *self._administrator()]
        elsewhere = "   (from other machines: this machine's address)" if settings.gateway_host in _ANYWHERE else ""
        lines += [f"  For bots   {self.gateway}{elsewhere}", f"  Token      {self._token() or '(none)'}"]
        lines += ["", f"  Data       {settings.home.root}"]
        return [*lines, "  Try it     botmatrix sim   (in another terminal; with make: .venv/bin/botmatrix sim)", ""]

    def _token(self) -> str:
        """As the nodes share it: the parts have fetched it by now."""
        stored, _ = remembered(self._settings.home)
        return resolve(self._settings.inputs, stored).bot_token

    def _administrator(self) -> list[str]:
        path = self._settings.home.admin_password
        if not self._first_start or not path.exists():
            return []
        password = path.read_text().strip()
        return [f"  Log in as  admin, password {password}   (kept in {path}; change it soon)"]


def reachable(host: str) -> str:
    """An address this machine can open, for one that a server listens on."""
    return _ANYWHERE.get(host) or (f"[{host}]" if ":" in host else host)


async def _missing(client: httpx.AsyncClient, url: str) -> str:
    try:
        answer = await client.get(url)
    except httpx.HTTPError:
        return "the console does not answer"
    return "" if answer.is_success else answer.text[:300]

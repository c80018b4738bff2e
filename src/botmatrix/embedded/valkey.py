"""The embedded Valkey: loopback, password, append-only file, nothing ever evicted."""

from __future__ import annotations

import asyncio
import contextlib

from botmatrix.config import Home, Secret
from botmatrix.embedded.binaries import valkey_server
from botmatrix.embedded.ports import kept_port
from botmatrix.embedded.process import Program
from botmatrix.errors import EngineUnavailable


class Valkey:
    """Its data is in `HOME/valkey`; the password goes to it on standard input, never on a command line."""

    name = "valkey"
    title = "Redis"

    def __init__(self, home: Home, password: str) -> None:
        self._home, self._password = home, password
        self.port = 0

    @property
    def url(self) -> Secret:
        """For clients on this machine."""
        return Secret(f"redis://:{self._password}@127.0.0.1:{self.port}/0")

    async def prepare(self) -> Program:
        """Choose the port, make the folder. Raises `EngineUnavailable`, `OSError`."""
        executable = valkey_server()
        self._home.valkey.mkdir(mode=0o700, exist_ok=True)
        self.port = kept_port(self._home, self.name)
        return Program(self.name, (str(executable), "-"), {"LC_ALL": "C"}, stdin=self._configuration(), grace=30.0)

    def _configuration(self) -> bytes:
        lines = (
            "bind 127.0.0.1",
            f"port {self.port}",
            "protected-mode yes",
            f"requirepass {self._password}",
            f'dir "{_quoted(str(self._home.valkey))}"',
            "appendonly yes",
            "appendfsync everysec",
            'save ""',
            "maxmemory-policy noeviction",
            "daemonize no",
            'logfile ""',
        )
        return "\n".join((*lines, "")).encode()

    async def ready(self) -> bool:
        """Whether it answers; not while it reads its data. Raises `EngineUnavailable`: wrong password."""
        answer = await self._ask()
        if answer.startswith((b"-WRONGPASS", b"-NOAUTH", b"-ERR")):
            ports = self._home.run / "ports.json"
            cure = f"Another program may hold port {self.port}: delete {ports} and start again"
            raise EngineUnavailable(self.title, "it does not know its password", cure)
        return answer.startswith(b"+PONG")

    async def _ask(self) -> bytes:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(2):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                try:
                    writer.write(f"AUTH {self._password}\r\nPING\r\n".encode())
                    first = await reader.readline()
                    return await reader.readline() if first.startswith(b"+OK") else first
                finally:
                    writer.close()
        return b""


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')

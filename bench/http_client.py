"""An HTTP client that costs next to nothing, so that what is measured is the server."""

from __future__ import annotations

import asyncio
import json
from types import TracebackType
from typing import Any, Self


class HttpClient:
    """Requests over connections that stay open; each is for one request at a time. Answers have a known length."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.headers: dict[str, str] = {"Host": f"{host}:{port}", "Content-Type": "application/json"}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _, writer in self._free:
            writer.close()

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and body, as JSON."""
        reader, writer = self._free.pop() if self._free else await asyncio.open_connection(self._host, self._port)
        content = b"" if body is None else json.dumps(body).encode()
        head = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers.items())]
        head.append(f"Content-Length: {len(content)}\r\n\r\n")
        writer.write("\r\n".join(head).encode() + content)
        status, *fields = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        lengths = [int(one.split(":")[1]) for one in fields if one.lower().startswith("content-length:")]
        answer = await reader.readexactly(lengths[0])
        self._free.append((reader, writer))
        return int(status.split()[1]), json.loads(answer)

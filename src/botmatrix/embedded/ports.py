"""Ports: those the engines keep from start to start, and whether one is free."""

from __future__ import annotations

import contextlib
import errno
import json
import socket

from botmatrix.config import Home


def kept_port(home: Home, name: str) -> int:
    """The loopback port this engine had last time, or a new one when it is taken now."""
    path = home.run / "ports.json"
    ports: dict[str, int] = {}
    with contextlib.suppress(OSError, ValueError):
        ports = dict(json.loads(path.read_text()))
    port = ports.get(name, 0)
    if not isinstance(port, int) or not 1024 <= port <= 65535 or problem("127.0.0.1", port):
        port = free_port()
        home.write_private(path, json.dumps({**ports, name: port}))
    return port


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def problem(host: str, port: int) -> str:
    """Why a server can't listen there, in words; empty when it can (or when `port` is 0)."""
    if port == 0:
        return ""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, proto) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return _WORDS.get(error.errno or 0, error.strerror or str(error))
    return ""


_WORDS = {
    errno.EADDRINUSE: "another program listens on it",
    errno.EACCES: "this user may not open it (ports below 1024 need more rights)",
    errno.EADDRNOTAVAIL: "this machine has no such address",
}

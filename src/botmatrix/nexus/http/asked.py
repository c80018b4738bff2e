"""One HTTP request and its answer, as values; and which connections are HTTP's at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol
from urllib.parse import unquote

from botmatrix.nexus.handshake import Refuse, Request, split
from botmatrix.nexus.sockets.request import APPLICATIONS

JSON: Final = "application/json; charset=utf-8"
TEXT: Final = "text/plain; charset=utf-8"
MEDIA: Final = "/media/"
"""Below this path are pieces of media for bots."""
_HALVES: Final = frozenset({"event", "api"})
"""Below an application's path these are halves of a WebSocket pair, not actions."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The head of a request. `remote`: address and port of the peer."""

    method: str
    request: Request
    remote: str


class Reply(NamedTuple):
    """What is answered."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


OnReply = Callable[[Reply], None]


class Desk(Protocol):
    """Whoever answers requests. `max_body` and `room` are bytes: of one request, and of all that are being read."""

    max_body: int
    room: int

    def judge(self, asked: Asked) -> Refuse | None:
        """Refuse by the head alone, before the body is read."""
        ...

    def serve(self, asked: Asked, body: bytes, reply: OnReply) -> None:
        """Answer; `reply` is called exactly once, now or later."""
        ...


def refusal(refuse: Refuse) -> Reply:
    """A refusal as an answer, after which the connection ends."""
    body = f"{refuse.reason}\n{refuse.cure}\n".encode()
    return Reply(refuse.status, body, TEXT, (*refuse.headers, ("Connection", "close")))


def speaks_http(line: bytes) -> bool:
    """Whether the first line of a request is for the HTTP side: all but GET, and GET of an action or of media."""
    method, _, rest = line.partition(b" ")
    target = rest.rpartition(b" ")[0].decode("ascii", "surrogateescape")
    path = split(target)[0]
    return method != b"GET" or path.startswith(MEDIA) or call_of(path) is not None


def call_of(path: str) -> tuple[str, str] | None:
    """The bot and the action that a path names: `/onebot/v11/app/{bot}/{action}`; None: it is no such path."""
    if not path.startswith(APPLICATIONS + "/"):
        return None
    parts = [unquote(part) for part in path[len(APPLICATIONS) + 1 :].split("/")]
    if len(parts) != 2 or not all(parts) or parts[1].lower() in _HALVES:
        return None
    return parts[0], parts[1]

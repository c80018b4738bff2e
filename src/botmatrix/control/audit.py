"""The operation log: every request that changed something, or may have, is written down before its answer leaves.

A route says what it did through `Noting`; of a route that says nothing, method, path and body are written.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, Final

import structlog
from fastapi import Depends, Request
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from botmatrix.control.shield import SAFE_METHODS
from botmatrix.errors import BotMatrixError
from botmatrix.store.operations import Change, Operations

_KEY: Final = "botmatrix.note"
_REMEMBERED: Final = 64 * 1024
"""Bytes of a body that are kept for the log."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Note:
    """What one request did, as far as it is known. Without `who` nothing is written."""

    who: str = ""
    via: str = ""
    what: str = ""
    object: str = ""
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    body: bytearray = field(default_factory=bytearray, repr=False)
    writer: Callable[[], Awaitable[None]] | None = field(default=None, repr=False)
    writing: asyncio.Future[None] | None = field(default=None, repr=False)

    def by(self, who: str, via: str) -> None:
        """Who does it."""
        self.who, self.via = who, via

    def say(
        self, what: str, object: str, *, before: dict[str, Any] | None = None, after: dict[str, Any] | None = None
    ) -> None:
        """What was done, in place of the request itself. Secrets are masked by the names of their fields."""
        self.what, self.object, self.before, self.after = what, object, before, after

    def write(self) -> None:
        """It is done: write it down beside what is still to be waited for; the answer leaves when it is written."""
        if self.writer is not None and self.writing is None:
            self.writing = asyncio.ensure_future(self.writer())

    def nothing_changed(self) -> None:
        """The request only asked: it is not written down."""
        self.who = ""


def note_of(request: HTTPConnection) -> Note:
    """The note of this request; a request that can change nothing has one that nobody reads."""
    note = request.scope.get(_KEY)
    return note if isinstance(note, Note) else Note()


async def _noting(request: Request) -> Note:
    return note_of(request)


Noting = Annotated[Note, Depends(_noting)]


class AuditTrail:
    """A layer around the application that writes the notes of its changing requests."""

    def __init__(self, app: ASGIApp, operations: Operations) -> None:
        self._app = app
        self._operations = operations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS:
            await self._app(scope, receive, send)
            return
        note = scope[_KEY] = Note()
        note.writer = partial(self._write, scope, note)

        async def remembering() -> Message:
            message = await receive()
            note.body.extend(message.get("body", b"")[: _REMEMBERED - len(note.body)])
            return message

        async def writing(message: Message) -> None:
            if message["type"] == "http.response.start" and _may_have_acted(message["status"]) and note.who:
                note.write()
            if note.writing is not None:
                await note.writing
            await send(message)

        await self._app(scope, remembering, writing)

    async def _write(self, scope: Scope, note: Note) -> None:
        """The change is done: when it can't be written down, the log of this process has to do."""
        change = _change(scope, note)
        try:
            await self._operations.write(change)
        except BotMatrixError as error:
            about = {"who": change.who, "via": change.via, "what": change.what, "object": change.object}
            log.error("a change is missing from the operation log", reason=str(error), **about)


def _may_have_acted(status: int) -> bool:
    """Whether something was done, or may have been: 504 says that nobody knows."""
    return status < 400 or status == 504


def _change(scope: Scope, note: Note) -> Change:
    address = scope["client"][0] if scope.get("client") else ""
    if note.what:
        return Change(note.who, note.via, note.what, note.object, note.before, note.after, address)
    path = getattr(scope.get("route"), "path", scope["path"])
    what = f"{scope['method']} {path}"
    return Change(note.who, note.via, what, _object(scope), None, _body(note.body), address)


def _object(scope: Scope) -> str:
    """What the address names: the variable parts of the path, then the query."""
    parts = [str(value) for value in scope.get("path_params", {}).values()]
    query = scope.get("query_string", b"").decode("latin-1")
    return " ".join([*parts, *([f"?{query}"] if query else [])])


def _body(body: bytearray) -> dict[str, Any] | None:
    if not body:
        return None
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return {"bytes": len(body)}
    return said if isinstance(said, dict) else {"body": said}

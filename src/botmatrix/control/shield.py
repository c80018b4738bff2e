"""What surrounds every request: security headers, the size limit, the sub-path, foreign origins."""

from __future__ import annotations

from typing import Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from botmatrix.control.errors import ApiError, error_response
from botmatrix.core.archive import LARGEST

BODY_LIMIT: Final = 1024 * 1024
UPLOADS: Final = {"/api/plugins/packages": LARGEST}
"""Addresses that take a file, and its largest size. The file is the body, so it is no JSON."""
FILES: Final = ("application/zip", "application/octet-stream", "application/json")
SOCKETS: Final = frozenset({"/api/sim"})
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}
_FOREIGN: Final = "this request comes from another site's page; a proxy in front must pass the Host header on unchanged"
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

log = structlog.get_logger(__name__)


class Shield:
    """The outermost layer of the application; what it refuses reaches nothing inside."""

    def __init__(self, app: ASGIApp, *, root_path: str = "") -> None:
        self._app = app
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        scope = self._below_root(scope)
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
            return
        if scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}  # the server sends no body, as it knows the true method
        headers = Headers(scope=scope)
        guarded = _with_headers(send)
        limit = _limit(scope)
        refusal = _refusal(scope, headers, limit)
        if refusal is not None:
            response = error_response(refusal.status_code, refusal.code, refusal.detail)
            await response(scope, receive, guarded)
            return
        await self._app(scope, _limited(receive, limit), guarded)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A WebSocket: a browser brings its cookie along wherever the page is from, so that only our own count."""
        refusal = _refused_socket(scope, self._root_path)
        if refusal is None:
            await self._app(scope, receive, send)
            return
        response = error_response(refusal.status_code, refusal.code, refusal.detail)
        await WebSocket(scope, receive, send).send_denial_response(response)

    def _below_root(self, scope: Scope) -> Scope:
        """The same request, whether the proxy in front cut the sub-path off or left it."""
        root, path = self._root_path, scope["path"]
        if not root:
            return scope
        whole = path if path == root or path.startswith(root + "/") else root + path
        return {**scope, "root_path": root, "path": whole, "raw_path": whole.encode()}


def same_origin(headers: Headers) -> bool:
    """Whether the request comes from our own pages, or from no page at all.

    Browsers send Sec-Fetch-Site (no page can forge it), older ones Origin, other programs neither. Only the
    hosts are compared: behind a proxy that ends TLS this process does not see the scheme.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("none", "same-origin")
    origin = headers.get("origin")
    if origin is None:
        return True
    scheme, mark, host = origin.lower().partition("://")
    port = _DEFAULT_PORTS.get(scheme, "")
    return bool(mark) and host.removesuffix(port) == headers.get("host", "").lower().removesuffix(port)


def _limit(scope: Scope) -> int:
    """Bytes that the body may have."""
    if scope["method"] != "POST":
        return BODY_LIMIT
    path: str = scope["path"]
    return UPLOADS.get(path.removeprefix(scope.get("root_path", "")), BODY_LIMIT)


def _too_large(limit: int) -> ApiError:
    return ApiError(413, "too_large", f"the body is larger than {limit >> 20} MiB")


def _refusal(scope: Scope, headers: Headers, limit: int) -> ApiError | None:
    if _declared_length(headers) > limit:
        return _too_large(limit)
    if scope["method"] in SAFE_METHODS or "authorization" in headers:
        return None
    # Without a token in the header the browser's cookie may be what authenticates: then only our own pages count.
    if not same_origin(headers):
        return ApiError(403, "foreign_origin", _FOREIGN)
    # None of these can be sent by another site's form.
    if _has_body(headers) and _type(headers) not in (FILES if limit > BODY_LIMIT else ("application/json",)):
        wanted = "application/zip" if limit > BODY_LIMIT else "application/json"
        return ApiError(422, "not_json", f"send the body as {wanted}")
    return None


def _refused_socket(scope: Scope, root_path: str) -> ApiError | None:
    if scope["path"].removeprefix(root_path) not in SOCKETS:
        log.warning("a client asked for a WebSocket at the console: bots connect to the gateway, on ws_port")
        return ApiError(404, "not_found", "there is no WebSocket here: bots connect to the gateway, on ws_port")
    return None if same_origin(Headers(scope=scope)) else ApiError(403, "foreign_origin", _FOREIGN)


def _declared_length(headers: Headers) -> int:
    declared = headers.get("content-length", "0")
    return int(declared) if declared.isascii() and declared.isdigit() else 0


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or _declared_length(headers) > 0


def _type(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _limited(receive: Receive, limit: int) -> Receive:
    received = 0

    async def limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise _too_large(limit)
        return message

    return limited


def _with_headers(send: Send) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return with_headers

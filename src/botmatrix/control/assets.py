"""The console's files. Their address holds a checksum of all of them, so that a browser may keep each for ever."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from botmatrix.control.errors import ApiError

WEB: Final = Path(__file__).with_name("web")
SERVED: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
FOLDERS: Final = ("app", "lang", "vendor")
FOR_EVER: Final = "public, max-age=31536000, immutable"

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, as it is and packed by gzip."""

    media_type: str
    plain: bytes
    packed: bytes


@router.get("/assets/{version}/{path:path}")
def asset(version: str, path: str, request: Request) -> Response:
    """A file of the console."""
    file = files().get(path) if version == current_version() else None
    if file is None:
        raise ApiError(404, "not_found", "there is no such file: load the page anew")
    found = pack(path)
    headers = {"Cache-Control": FOR_EVER, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(found.packed, media_type=found.media_type, headers=headers)
    return Response(found.plain, media_type=found.media_type, headers=headers)


@cache
def files() -> dict[str, Path]:
    """What is served: path below `web`, and the file. Nothing else can be asked for."""
    found = [one for folder in FOLDERS for one in sorted((WEB / folder).rglob("*")) if one.suffix in SERVED]
    return {one.relative_to(WEB).as_posix(): one for one in found}


@cache
def current_version() -> str:
    """A checksum of all files."""
    digest = hashlib.sha256()
    for name, file in files().items():
        digest.update(f"{name} {file.stat().st_size} ".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


@cache
def pack(path: str) -> Asset:
    """A file, read and packed once."""
    plain = files()[path].read_bytes()
    return Asset(SERVED[files()[path].suffix], plain, gzip.compress(plain, 9, mtime=0))

"""Opaque random tokens: what is handed out, and the digest that is stored in its place."""

from __future__ import annotations

import hashlib
import secrets


def new_token(prefix: str) -> str:
    """A token with 256 random bits that begins with `prefix`."""
    return prefix + secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """The SHA-256 of a token."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()

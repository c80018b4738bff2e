"""A Redis that can't be reached is named, with what to do, and without what is secret."""

from __future__ import annotations

import pytest

from botmatrix.bus.connection import ConnectionLost, open_connection


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("redis://user:secret-word@127.0.0.1:1/0", "Connection refused"),
        ("unix:///nonexistent/redis.sock", "No such file or directory"),
        ("redis://no-such-host.invalid/0", "its host has no address"),
    ],
)
async def test_who_can_not_connect_is_told_why_and_what_to_do(url: str, reason: str) -> None:
    with pytest.raises(ConnectionLost) as raised:
        await open_connection(url, name="tests")
    assert str(raised.value) == f"Redis can't be reached: {reason}. Check redis_url, or run `botmatrix doctor`"

"""Redis holds what nobody of BotMatrix wrote: control goes on, and says what is wrong."""

from __future__ import annotations

import time

import httpx
import pytest

from botmatrix.bus.keys import Keys
from botmatrix.control.parts import Parts

KEYS = Keys()
DEEP = b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
JUNK = (b"\xff\xfe", b"9" * 5000, DEEP, b"[]", b"1e400")
SEEN = (
    "/api/stats",
    "/api/stats/chat",
    "/api/handshakes",
    "/api/logs",
    "/api/bots",
    "/api/plugins",
    "/metrics",
    "/readyz",
)


async def litter(parts: Parts, junk: bytes) -> None:
    """Put it where figures and documents are expected."""
    call, day = parts.redis.call, time.strftime("%Y%m%d", time.gmtime())
    for hash_ in (KEYS.stats, KEYS.nexus("n9.x"), *(KEYS.core_stats(f"{day}:{kind}") for kind in ("user", "group"))):
        await call("HSET", hash_, junk, junk, b"received", junk)
    await call("HSET", KEYS.bot("qq:1"), "groups_mark", "a", "received", junk, "nickname", junk)
    await call("HSET", KEYS.presence("w1"), "response_ms", junk, "handled", junk)
    for text in (KEYS.groups("qq:1"), KEYS.worker_plugins("w1"), KEYS.sockets("n9.x")):
        await call("SET", text, junk)
    for list_ in (KEYS.handshakes, KEYS.core_blocked):
        await call("LPUSH", list_, junk)
    for stream in (KEYS.logs, KEYS.series("10")):
        await call("XADD", stream, "*", "payload", junk)
    await call("SADD", KEYS.bots, "qq:1", junk[:100])
    await call("SADD", KEYS.workers, "w1", junk[:100])
    await call("SADD", KEYS.nexuses, "n9.x")
    await call("SET", KEYS.lease("n9.x"), 1)


@pytest.mark.parametrize("junk", JUNK, ids=lambda junk: repr(junk[:8]))
async def test_rubbish_ends_no_part_and_no_question(owner: httpx.AsyncClient, parts: Parts, junk: bytes) -> None:
    await litter(parts, junk)
    await parts.seen_keeper.round()
    await parts.stats.tick(int(time.time()) // 10 * 10)
    for path in SEEN:
        answer = await owner.get(path)
        assert answer.status_code in (200, 503 if path == "/readyz" else 200), (path, answer.text)


@pytest.mark.parametrize("path", ["/api/bots", "/api/workers", "/api/queues/dead", "/api/stats/chat", "/api/logs"])
async def test_a_name_that_is_taken_by_something_else_is_said(
    owner: httpx.AsyncClient, parts: Parts, path: str
) -> None:
    for name in (KEYS.bots, KEYS.workers, KEYS.dead, KEYS.core_blocked, KEYS.logs):
        await parts.redis.call("SET", name, "somebody else's")
    answer = await owner.get(path)
    assert (answer.status_code, answer.json()["error"]) == (503, "engine_unavailable")
    assert "WRONGTYPE" in answer.json()["message"]

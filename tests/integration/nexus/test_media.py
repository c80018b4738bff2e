"""Media on its way to a bot: kept in Redis, named in the action, fetched at the gateway."""

from __future__ import annotations

import json
import time

import httpx
import msgspec
import pytest
from tests.integration.nexus.scene import KEYS, Scene, next_action
from websockets.asyncio.client import connect

from botmatrix.bus.actions import ActionBox
from botmatrix.bus.envelope import ActionEntry
from botmatrix.bus.media import SCHEME, SECONDS, TOTAL, MediaBox
from botmatrix.clock import ManualClock, SystemClock
from botmatrix.errors import ActionFailed
from botmatrix.nexus.media import addressed, hub_address
from botmatrix.onebot.message import Image, Message

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(100_000)


def picture(piece: bytes = PICTURE) -> list[dict[str, object]]:
    return Message(Image(piece)).to_array()


async def test_a_bot_fetches_what_is_sent_at_the_address_that_it_dialled(scene: Scene) -> None:
    nexus = await scene.nexus()
    port = nexus.gateway.port
    headers = {"X-Self-ID": "10001", "Authorization": "Bearer secret"}
    async with connect(f"ws://localhost:{port}/onebot/v11/ws", additional_headers=headers, proxy=None) as bot:
        box, segments = MediaBox(scene.client, KEYS, SystemClock()), picture()
        (keep,) = box.offload(segments)
        assert str(segments[0]).count(SCHEME) == 1
        await keep()
        await keep()  # as when a handler runs again
        said = {"user_id": 7, "message": [*segments, {"type": "text", "data": {"text": f'"file":"{SCHEME}x"'}}]}
        entry = ActionEntry("qq:10001", "a1", "send_msg", msgspec.Raw(msgspec.json.encode(said)), 0)
        entry.exp = int((time.time() + 30) * 1000)
        actions = ActionBox(scene.url, KEYS, "w1.cccccccc")
        await actions.post(entry)
        frame = await next_action(bot)
        await actions.close()
    picture_there, text = frame["params"]["message"]
    assert text["data"]["text"] == f'"file":"{SCHEME}x"'
    url = picture_there["data"]["file"]
    assert url.startswith(f"http://localhost:{port}/media/")
    async with httpx.AsyncClient() as client:
        answer = await client.get(url)
        assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, PICTURE, "image/png")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert (await client.head(url)).headers["content-length"] == str(len(PICTURE))
        for path in ("x", "../bot:qq:10001", "..%2fbot", "a" * 32, url.rpartition("/")[2] + "/x", ""):
            assert (await client.get(f"http://localhost:{port}/media/{path}")).status_code in (404, 426), path
        assert (await client.post(url)).status_code == 405
        await scene.client.call("DEL", KEYS.media(url.rpartition("/")[2]))
        assert (await client.get(url)).status_code == 404


async def test_pages_and_scripts_are_served_as_neither(scene: Scene) -> None:
    nexus = await scene.nexus()
    await MediaBox(scene.client, KEYS, SystemClock()).keep("a" * 32, b"<html><script>alert(1)</script>")
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{nexus.gateway.port}/media/{'a' * 32}")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert "sandbox" in answer.headers["content-security-policy"]


async def test_media_expires_and_is_bounded_in_all(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock()
    box = MediaBox(scene.client, KEYS, clock)
    monkeypatch.setattr("botmatrix.bus.media.TOTAL", 250)
    for number in range(2):
        await box.keep(str(number) * 32, bytes(100))
    await box.keep("0" * 32, bytes(100))
    with pytest.raises(ActionFailed, match="media wait"):
        await box.keep("2" * 32, bytes(100))
    assert 0 < await scene.client.call("PTTL", KEYS.media("0" * 32)) <= SECONDS * 1000
    clock.advance(SECONDS + 1)
    await box.keep("2" * 32, bytes(100))
    assert await scene.client.call("HGET", KEYS.media_sizes, "") == b"100"
    assert TOTAL > 250


def test_small_media_travels_along_and_foreign_addresses_stay() -> None:
    box = MediaBox(None, KEYS, SystemClock())  # type: ignore[arg-type]
    for file in ("https://x/y.png", "base64://AAAA", "base64://" + "!" * 50_000, "/etc/passwd", 7):
        segment = {"type": "image", "data": {"file": file}}
        assert box.offload([segment]) == []
        assert segment["data"] == {"file": file}
    with pytest.raises(ActionFailed, match="at most"):
        box.offload([{"type": "file", "data": {"file": "base64://" + "A" * (60 << 20)}}])


def test_only_the_field_of_a_segment_is_addressed() -> None:
    params = json.dumps({"message": [{"file": f"{SCHEME}t"}, {"text": f'"file":"{SCHEME}t'}]}, separators=(",", ":"))
    found = json.loads(addressed(params.encode(), "http://hub:1"))
    assert found["message"] == [{"file": "http://hub:1/media/t"}, {"text": f'"file":"{SCHEME}t'}]


def test_a_bot_that_was_dialled_gets_an_address_that_it_may_reach() -> None:
    assert hub_address("10.0.0.7", 3001) == "http://10.0.0.7:3001"
    assert hub_address("fd00::1", 3001) == "http://[fd00::1]:3001"
    assert "0.0.0.0" not in hub_address("0.0.0.0", 3001)

"""What goes over the live view of a busy matrix, what a page makes of it, and what it costs the gateway."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import shutil
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Self

import httpx

from bench.console_seed import PASSWORD, Matrix
from bench.furnish import PREFIX
from bench.measure import metered

PER_ENTRY = 25
STREAM = PREFIX + "trace"
RATE = 2000
PAGES = ("dashboard", "messages/live", "topology")
FRAMES = """seconds => new Promise(resolve => {
  let last = performance.now(), longest = 0, over = 0;
  const end = last + seconds * 1000;
  const frame = now => {
    longest = Math.max(longest, now - last); over += now - last > 200; last = now;
    now < end ? requestAnimationFrame(frame) : resolve([longest, over]);
  };
  requestAnimationFrame(frame);
})"""


class Busy:
    """Reports of events, so many a second, straight onto the stream. `rate`: how many it managed."""

    def __init__(self, matrix: Matrix, wanted: int) -> None:
        self._client, self._wanted = matrix.redis(), wanted
        self._over, self._sent, self._begun = threading.Event(), 0, 0.0
        self._thread = threading.Thread(target=self._send, daemon=True)

    def __enter__(self) -> Self:
        self._begun = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def rate(self) -> float:
        """Reports a second so far."""
        return self._sent / (time.monotonic() - self._begun)

    def _send(self) -> None:
        pause = PER_ENTRY / self._wanted
        for number in itertools.count():
            if self._over.wait(max(0.0, self._begun + number * pause - time.monotonic())):
                return
            parts = [_report(number * PER_ENTRY + at) for at in range(PER_ENTRY)]
            self._client.xadd(STREAM, {"parts": json.dumps(parts)}, maxlen=8192, approximate=True)
            self._sent += PER_ENTRY


def _report(number: int) -> dict[str, object]:
    now = int(time.time() * 1000)
    ids = {"id": f"{now // 1000:08x}{number % 16**10:010x}000001", "t": now, "at": now}
    who = {"bot": f"qq:{10001 + number % 50}", "conv": "group:456", "user": str(2000 + number % 99), "group": "456"}
    return {
        "part": "heard",
        **ids,
        **who,
        "nexus": "bench",
        "kind": "message.group",
        "text": "good morning",
        "lane": "w",
    }


async def received(matrix: Matrix, seconds: float) -> tuple[float, float, float]:
    """Of one viewer, per second: batches, reports in them, reports that were said to be left out."""
    batches = hops = left_out = 0
    async with _watching(matrix) as lines:
        end = time.monotonic() + seconds
        async for line in lines:
            if time.monotonic() > end:
                break
            if line.startswith('data: {"hops"'):
                batch = json.loads(line[6:])
                batches, hops, left_out = batches + 1, hops + len(batch["hops"]), left_out + batch["left_out"]
    return batches / seconds, hops / seconds, left_out / seconds


@contextlib.asynccontextmanager
async def _watching(matrix: Matrix) -> AsyncIterator[AsyncIterator[str]]:
    async with httpx.AsyncClient(base_url=matrix.console, timeout=30) as client:
        answer = await client.post("/api/login", json={"username": "admin", "password": PASSWORD})
        client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        async with client.stream("GET", "/api/live") as view:
            yield view.aiter_lines()


def pauses(matrix: Matrix, seconds: float) -> Iterator[tuple[str, float, int]]:
    """Of each page: the longest pause between two frames (ms), and how many were over 200 ms."""
    chromium = shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return
    if chromium is None:
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(matrix.console)
        page.fill("[name=username]", "admin")
        page.fill("[name=password]", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_selector(".shell")
        for place in PAGES:
            page.goto(f"{matrix.console}/#/{place}")
            page.wait_for_timeout(2000)
            longest, over = page.evaluate(FRAMES, seconds)
            yield place, longest, over
        browser.close()


async def gateway(matrix: Matrix, *, turns: int, seconds: float) -> list[tuple[float, float]]:
    """CPU us of the nexus per event, without and with an open dashboard, by turns."""
    found = []
    for _ in range(turns):
        alone = await _cpu(matrix, seconds)
        dashboard = asyncio.create_task(_dashboard(matrix))
        watched = await _cpu(matrix, seconds)
        dashboard.cancel()
        await asyncio.gather(dashboard, return_exceptions=True)
        found.append((alone, watched))
    return found


async def _cpu(matrix: Matrix, seconds: float) -> float:
    result, cpu = await metered(matrix, "steady", seconds=seconds, bots=100, rate=RATE, warmup=1, settle=0.5)
    done: int = result["sent"] - result["missing"]
    return cpu["nexus"] * 1e6 / max(1, done)


async def _dashboard(matrix: Matrix) -> None:
    """What the page does: it follows the live view, and asks for the figures now and then."""
    async with _watching(matrix) as lines:
        async for _ in lines:
            pass

"""What plugins have the clock start, in several workers."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tests.integration.worker.composed import composed, said
from tests.integration.worker.support import BOT, KEYS, Stage, until

CODE = """
import asyncio, os
from botmatrix import Plugin

plugin = Plugin(id="ticker", permissions=["send_msg"])

@plugin.cron("* * * * * *", timeout=60)
async def tick(app):
    with open("{file}", "a") as file:
        print(os.getpid(), file=file)
    await app.send("qq:group:456", "tick")
    if os.path.exists("{stuck}"):
        await asyncio.sleep(600)
"""


async def test_each_time_is_run_by_one_of_the_workers_and_again_when_it_dies(stage: Stage, home: Path) -> None:
    await stage.redis.call("SADD", KEYS.bots, BOT)
    await stage.redis.call("HSET", KEYS.bot(BOT), "state", "online")
    ran, stuck, homes = home / "ran.txt", home / "stuck", [home / "one", home / "two"]
    code = CODE.format(file=ran, stuck=stuck)
    for own in homes:
        own.mkdir(mode=0o700)

    def lines() -> list[str]:
        return ran.read_text().split() if ran.exists() else []

    async def last() -> int:
        kept = await stage.redis.call("HGET", KEYS.cron, "ticker.tick")
        return int((kept or b"0").partition(b"|")[0])

    began = int(time.time())
    async with composed(stage, homes[0], "w1", ticker=code) as one, composed(stage, homes[1], "w2", ticker=code) as two:

        async def often() -> bool:
            return len(lines()) >= 5

        await until(often, timeout=60)
        assert len(lines()) <= await last() - began + 1  # the seconds since before they were started
        stuck.touch()

        async def both() -> bool:
            return {str(one.process.pid), str(two.process.pid)} & set(lines()[-1:]) != set()

        await until(both, timeout=30)
        os.kill(one.process.pid, signal.SIGKILL)
        before = len(lines())

        async def taken_over() -> bool:
            return str(two.process.pid) in lines()[before:]

        await until(taken_over, timeout=60)
    assert set(await said(stage)) == {"tick"}

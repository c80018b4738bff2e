"""Sessions of chats, across workers and beside them."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.worker.composed import composed, message, said
from tests.integration.worker.support import KEYS, Stage, until

COUNTER = """
from botmatrix import Plugin

plugin = Plugin(id="counter", history=True)


@plugin.command("count")
async def count(ctx):
    return str(await ctx.session.update("counter.n", lambda n: n + 1, default=0))


@plugin.command("recall")
async def recall(ctx):
    return "|".join(heard.text for heard in await ctx.session.history())
"""


async def test_workers_share_sessions(stage: Stage, home: Path, tmp_path: Path) -> None:
    (other := tmp_path / "other").mkdir()
    async with composed(stage, home, "w1", counter=COUNTER), composed(stage, other, "w2", counter=COUNTER):
        for number in range(10):
            await stage.put(f"w{1 + number % 2}", message("/count"))
        await stage.until_sent(10)
        assert sorted(await said(stage), key=int) == [str(n) for n in range(1, 11)]
        await stage.put("w2", message("/recall"))
        await stage.until_sent(11)
        assert (await said(stage))[-1] == "/count|/count|/count|/count"
    assert json.loads(await stage.redis.call("GET", KEYS.session_state("qq:42"))) == {"counter.n": 10}


async def test_what_is_set_in_redis_acts_at_once(stage: Stage, home: Path) -> None:
    async with composed(stage, home, counter=COUNTER):
        await stage.redis.call("HSET", KEYS.config_ttl, "session_ttl_sec", "77", "session_history", "2")
        await stage.redis.call("PUBLISH", KEYS.hot_changed, "ttl")

        async def taken() -> bool:
            await stage.put("w1", message("/count"))
            return 0 < int(await stage.redis.call("TTL", KEYS.session("qq:42"))) <= 77

        await until(taken)
        for _ in range(3):
            await stage.put("w1", message("/count"))
        await stage.until_settled("w1")
        context = json.loads(await stage.redis.call("GET", KEYS.session("qq:42")))
        assert len(context["history"]) == 2
        assert context["last_msg"] == "/count"


async def test_without_a_reader_histories_are_written_when_the_setting_says_so(stage: Stage, home: Path) -> None:
    async with composed(stage, home):
        await stage.put("w1", message("/echo hello"))
        await stage.until_settled("w1")
    assert await stage.redis.call("EXISTS", KEYS.session("qq:42")) == 0
    async with composed(stage, home, environ={"RECORD_SESSIONS": "true"}):
        await stage.put("w1", message("/echo hello"))
        await until(lambda: stage.redis.call("EXISTS", KEYS.session("qq:42")))
        assert json.loads(await stage.redis.call("GET", KEYS.session("qq:42")))["last_msg"] == "/echo hello"

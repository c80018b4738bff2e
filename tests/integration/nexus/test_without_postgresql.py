"""A nexus whose PostgreSQL can't be reached: it starts, and socket workers answer; also when Redis goes too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from bench.parts import Part, botmatrix, free_port, source_path, wait_listening
from tests.conftest import ValkeyProcess
from tests.integration.nexus.test_sockets import action, event, hear
from websockets.asyncio.client import ClientConnection, connect

TOKEN: Final = "token"


@pytest.fixture
def port(own_valkey: ValkeyProcess, tmp_path: Path) -> Iterator[int]:
    """The gateway's, of a nexus as `botmatrix nexus` runs it."""
    home, port = tmp_path / "home", free_port()
    home.mkdir(mode=0o700)
    nowhere = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
    env = {**source_path(), "BOTMATRIX_HOME": str(home), "REDIS_URL": own_valkey.url, "DATABASE_URL": nowhere}
    env |= {"WS_PORT": str(port), "BOT_TOKEN": TOKEN, "WORKER_TOKEN": TOKEN, "NEXUS_ID": "n1"}
    nexus = Part("nexus", botmatrix("nexus"), tmp_path / "nexus.log", env)
    nexus.start()
    wait_listening(nexus, port)
    yield port
    nexus.stop()


async def round_trip(bot: ClientConnection, worker: ClientConnection, number: int) -> None:
    """An event reaches the worker, its action the bot, and the bot's answer the worker."""
    await bot.send(event(f"number {number}", number))
    heard = await hear(worker)
    assert heard["raw_message"] == f"number {number}"
    params = {"user_id": heard["user_id"], "message": "answer"}
    await worker.send(
        json.dumps({"action": "send_private_msg", "params": params, "echo": number, "self_id": str(heard["self_id"])})
    )
    asked = await action(bot)
    assert asked["params"]["message"] == "answer"
    await bot.send(json.dumps({"status": "ok", "retcode": 0, "data": {"message_id": 1}, "echo": asked["echo"]}))
    answer = await hear(worker)
    assert (answer["status"], answer["echo"]) == ("ok", number)


@pytest.mark.parametrize("path", ["/onebot/v11/app/10001", "/ws/workers"])
async def test_socket_workers_answer_without_postgresql_and_without_redis_too(
    port: int, own_valkey: ValkeyProcess, path: str
) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    gateway = f"ws://127.0.0.1:{port}"
    async with (
        connect(f"{gateway}{path}", additional_headers=headers, proxy=None) as worker,
        connect(f"{gateway}/onebot/v11/ws", additional_headers=headers | {"X-Self-ID": "10001"}, proxy=None) as bot,
    ):
        for number in range(1, 21):
            await round_trip(bot, worker, number)
        own_valkey.stop(kill=True)
        for number in range(21, 41):
            await round_trip(bot, worker, number)
        own_valkey.start()
        for number in range(41, 61):
            await round_trip(bot, worker, number)

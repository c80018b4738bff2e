"""A whole nexus between the simulator and real applications; no stream worker is there."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from bench.envs import NotInstallable, modules_of, python_of
from bench.parts import Part, botmatrix, free_port, source_path, wait_listening
from tests.conftest import ValkeyProcess
from tests.interop.simulator import Manner, Verdict, bots

BOT_TOKEN, WORKER_TOKEN, APP_TOKEN = "bots-token", "workers-token", "token-of-the-application"
BOTS = (10001, 10002)
APPS = Path(__file__).with_name("apps")


class Matrix:
    """One nexus process, its Valkey, and one application; each can be ended and started again by itself."""

    def __init__(self, folder: Path, valkey: ValkeyProcess) -> None:
        self.folder, self.valkey = folder, valkey
        self.port, self.app_port = free_port(), free_port()
        self.redis = redis.Redis.from_url(valkey.url, decode_responses=True)
        home = folder / "home"
        home.mkdir(mode=0o700)
        env = {**source_path(), "BOTMATRIX_HOME": str(home), "REDIS_URL": valkey.url, "WS_PORT": str(self.port)}
        env |= {"BOT_TOKEN": BOT_TOKEN, "WORKER_TOKEN": WORKER_TOKEN, "NEXUS_ID": "interop", "LOG_LEVEL": "info"}
        self.nexus = Part("nexus", botmatrix("nexus"), folder / "nexus.log", env)
        self.app: Part | None = None
        self.config = home / "config.json"

    # ---------------------------------------------------------------- the two sides

    def dial(self, path: str, token: str = APP_TOKEN) -> None:
        """The nexus dials the application at this path. To be told before it starts."""
        app = {"name": "app", "url": f"ws://127.0.0.1:{self.app_port}{path}", "token": token}
        self.config.write_text(json.dumps({"onebot_apps": [app]}))

    def start(self) -> None:
        """Start the nexus."""
        self.nexus.start()
        wait_listening(self.nexus, self.port)

    def start_app(self, argv: list[str], **env: str) -> Part:
        """Start an application."""
        self.app = Part("app", argv, self.folder / "app.log", env)
        self.app.start()
        if "PORT" in env:
            wait_listening(self.app, self.app_port)
        return self.app

    def roads_for_apps(self, token: str = "") -> str:
        """Where an application dials: a link for each bot."""
        query = f"&access_token={token}" if token else ""
        return ",".join(f"ws://127.0.0.1:{self.port}/onebot/v11/app/{bot}?name=app{query}" for bot in BOTS)

    @property
    def roads(self) -> dict[str, str]:
        """Where bots dial, by role."""
        base = f"ws://127.0.0.1:{self.port}/onebot/v11"
        return {"universal": f"{base}/ws", "api": f"{base}/api", "event": f"{base}/event"}

    # ---------------------------------------------------------------- what a test does

    async def try_out(self, manner: Manner, tag: str = "t") -> list[Verdict]:
        """Two bots that talk at once, when the application is there for both."""
        async with bots(BOTS, self.roads, BOT_TOKEN, manner) as pair:
            await self.attached()
            return list(await asyncio.gather(*(bot.converse(tag) for bot in pair)))

    async def attached(self) -> None:
        """Until the application has a link for each bot."""
        await self.until(lambda: self._bots_of_app() == {f"qq:{bot}" for bot in BOTS})

    async def until(self, holds: Callable[[], bool], seconds: float = 30) -> None:
        """Until it holds. Fails with the end of both logs."""
        try:
            async with asyncio.timeout(seconds):
                while not await asyncio.to_thread(holds):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            logs = [part.tail(15) for part in (self.nexus, self.app) if part is not None]
            pytest.fail("it never came to that:\n" + "\n--\n".join(logs))

    def lines(self) -> list[dict[str, str]]:
        """What the nexus tells of the lines that it keeps."""
        keys = self.redis.keys("botmatrix:lines:*")
        return [json.loads(value) for key in keys for value in self.redis.hgetall(key).values()]

    def close(self) -> None:
        """End everything."""
        if self.app is not None:
            self.app.stop(3)
        self.nexus.stop()
        self.redis.close()

    def _bots_of_app(self) -> set[str]:
        return set(str(self.redis.hget("botmatrix:worker:app", "bots") or "").split(","))


@pytest.fixture(scope="module")
def new_matrix(
    valkey_server: ValkeyProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Matrix]]:
    """Makes matrices on an empty Redis, one after the other."""
    made: list[Matrix] = []

    def new() -> Matrix:
        for former in made:
            former.close()
        client = redis.Redis.from_url(valkey_server.url)
        client.flushall()
        client.close()
        made[:] = [Matrix(tmp_path_factory.mktemp("matrix"), valkey_server)]
        return made[0]

    yield new
    for last in made:
        last.close()
        shutil.rmtree(last.folder, ignore_errors=True)


def python_app(framework: str) -> list[str]:
    """The command of our application on a Python framework, in an environment of its own."""
    try:
        return [str(python_of(framework)), str(APPS / f"{framework}_app.py")]
    except NotInstallable as error:
        pytest.skip(f"{framework} can't be installed here: {error}")


def koishi() -> tuple[list[str], dict[str, str]]:
    """The command of our application on Koishi, and its environment."""
    try:
        modules = modules_of("koishi")
    except NotInstallable as error:
        pytest.skip(f"Koishi can't be installed here: {error}")
    return ["node", str(APPS / "koishi_app.js")], {"MODULES": str(modules), "BOTS": ",".join(map(str, BOTS))}

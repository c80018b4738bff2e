"""Applications and stream workers side by side, with many bots, and Redis killed in the middle."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from bench.parts import Part, botmatrix, source_path
from tests.conftest import ValkeyProcess
from tests.integration.nexus.mixed import Application, NumberedBot, answered
from tests.integration.nexus.scene import KEYS, Scene
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from botmatrix.bus.rules import RulesMirror
from botmatrix.nexus.app import Nexus
from botmatrix.routing.rule import make_rule

EVENTS = 20_000
BOTS = range(10001, 10021)
SERVED_BY = {  # the last four bots have none: their events go to the stream workers
    **dict.fromkeys(BOTS[0:4], ("one",)),
    **dict.fromkeys(BOTS[4:8], ("two",)),
    **dict.fromkeys(BOTS[8:12], ("three",)),
    **dict.fromkeys(BOTS[12:16], ("three", "four")),
}


class Play:
    """A scene with bots, applications and what keeps them alive."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.bots: list[NumberedBot] = []
        self.apps: dict[str, Application] = {}
        self.tasks: list[asyncio.Task[None]] = []
        self.numbers = itertools.count(1)

    async def add_bot(self, nexus: Nexus, self_id: int) -> NumberedBot:
        bot = NumberedBot(await self.scene.bot(nexus, self_id), self_id)
        self.bots.append(bot)
        self.tasks.append(asyncio.create_task(bot.live()))
        return bot

    async def attach(self, nexus: Nexus, name: str, self_id: int) -> None:
        """A link of an application that dials in."""
        app = self.apps.setdefault(name, Application(name))
        url = f"ws://127.0.0.1:{nexus.gateway.port}/onebot/v11/app/{self_id}?name={name}"
        token = {"Authorization": f"Bearer {nexus.settings.worker_token}"}
        link = await connect(url, additional_headers=token, proxy=None)
        self.scene.stack.push_async_callback(link.close)
        self.tasks.append(asyncio.create_task(app.serve(link)))

    async def say(self, count: int) -> None:
        """So many events, spread over all bots."""
        for number in itertools.islice(self.numbers, count):
            await self.bots[number % len(self.bots)].say(number)
            if number % 200 == 0:
                await asyncio.sleep(0)

    def nothing_strange(self, times: int = 1) -> None:
        """Everything was answered so many times, by the bot that it was said to, and no answer went astray."""
        for bot in self.bots:
            assert not bot.strange
            assert bot.heard == dict.fromkeys(bot.said, times)
        assert not [app.wrong for app in self.apps.values() if app.wrong]


@pytest.fixture
async def play(own_valkey: ValkeyProcess, tmp_path: Path) -> AsyncIterator[Play]:
    async with AsyncExitStack() as stack:
        scene = Scene(own_valkey.url, tmp_path, stack)
        play = Play(scene)
        yield play
        for task in play.tasks:
            task.cancel()
        await asyncio.gather(*play.tasks, return_exceptions=True)
    await scene.client.close()
    await scene.lanes.close()


@pytest.fixture
def stream_workers(own_valkey: ValkeyProcess, tmp_path: Path) -> Iterator[list[Part]]:
    """Two processes with the built-in plugins."""
    workers = []
    for name in ("w1", "w2"):
        home = tmp_path / name
        home.mkdir(mode=0o700)
        env = {**source_path(), "BOTMATRIX_HOME": str(home), "REDIS_URL": own_valkey.url, "WORKER_ID": name}
        workers.append(Part(name, botmatrix("worker"), tmp_path / f"{name}.log", env))
        workers[-1].start()
    yield workers
    for worker in workers:
        worker.stop()


async def test_each_event_is_answered_once_by_the_right_bot_though_redis_is_killed(
    play: Play, own_valkey: ValkeyProcess, stream_workers: list[Part]
) -> None:
    nexus = await play.scene.nexus()
    for self_id in BOTS:
        await play.add_bot(nexus, self_id)
    for self_id, names in SERVED_BY.items():
        for name in names:
            await play.attach(nexus, name, self_id)
    async with asyncio.timeout(30):
        while len(nexus.workers.candidates) < 2:
            await asyncio.sleep(0.02)
    await play.say(EVENTS // 4)
    await answered(play.bots, 120)
    own_valkey.stop(kill=True)
    await play.say(EVENTS // 4)
    await answered([bot for bot in play.bots if bot.self_id in SERVED_BY], 120)
    own_valkey.start()
    await play.say(EVENTS // 2)
    await answered(play.bots, 120)
    await asyncio.sleep(0.5)  # a second answer, if there is one, is close behind the first
    play.nothing_strange()
    served = sum(len(bot.said) for bot in play.bots if bot.self_id in SERVED_BY)
    assert all(app.answered for app in play.apps.values())
    assert sum(app.answered for app in play.apps.values()) == served


async def test_two_applications_that_want_everything_answer_each_event(play: Play, tmp_path: Path) -> None:
    apps = [await _server(play, name) for name in ("nonebot", "astrbot")]
    (tmp_path / "config.json").write_text(json.dumps({"onebot_apps": [app | {"deliver": "all"} for app in apps]}))
    nexus = await play.scene.nexus()
    bot = await play.add_bot(nexus, 10001)
    async with asyncio.timeout(10):
        while len(nexus.sockets.workers.copies_of("qq:10001")) < 2:
            await asyncio.sleep(0.02)
    await play.say(100)
    async with asyncio.timeout(10):
        while bot.heard.total() < 200:
            await asyncio.sleep(0.02)
    play.nothing_strange(times=2)
    assert nexus.counters()["received"] + nexus.counters()["copied"] == nexus.counters()["socket_handed"] == 200


async def test_an_application_that_wants_everything_hears_beside_whoever_is_chosen(play: Play, tmp_path: Path) -> None:
    everything = await _server(play, "all") | {"deliver": "all"}
    (tmp_path / "config.json").write_text(json.dumps({"onebot_apps": [everything, await _server(play, "one")]}))
    nexus = await play.scene.nexus()
    lane = await play.scene.worker()
    bot = await play.add_bot(nexus, 10001)
    async with asyncio.timeout(10):
        while len(nexus.sockets.workers.takers("qq:10001")) < 2:
            await asyncio.sleep(0.02)
    await play.say(20)
    async with asyncio.timeout(10):
        while bot.heard.total() < 40:
            await asyncio.sleep(0.02)
    play.nothing_strange(times=2)
    await RulesMirror(play.scene.client, KEYS).write([make_rule("bot_10001", "w1")], [])
    async with asyncio.timeout(10):
        while not nexus.rules.table.rules:
            await asyncio.sleep(0.02)
    await play.say(20)
    assert len(await play.scene.read(lane, 20)) == 20
    await answered([bot], 10)
    async with asyncio.timeout(10):
        while (play.apps["all"].answered, play.apps["one"].answered) != (40, 20):
            await asyncio.sleep(0.02)


async def _server(play: Play, name: str) -> dict[str, str]:
    """An application that waits to be dialled; its entry in `onebot_apps`."""
    app = play.apps[name] = Application(name)

    async def serving(link: ServerConnection) -> None:
        await app.serve(link)

    server = await play.scene.stack.enter_async_context(serve(serving, "127.0.0.1", 0))
    return {"name": name, "url": f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"}

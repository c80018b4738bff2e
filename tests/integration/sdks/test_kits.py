"""The kits for other languages: their own tests, and their examples on a real host."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.plugins.conftest import LivePlatform, TextRoom, texts
from tests.integration.plugins.test_isolated import dialogue, process
from tests.unit.plugins.fakes import message

from botmatrix.bus.keys import Keys
from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.info import PluginState
from botmatrix.worker.plugins.isolated.check import check
from botmatrix.worker.plugins.isolated.plugin import Isolation
from botmatrix.worker.plugins.isolated.storage import Storage
from botmatrix.worker.plugins.source import Source

SDKS = Path(__file__).parents[3] / "sdks"
STEPS = {
    "dotnet": [
        ["mcs", "-warnaserror", "-out:tests.exe", "BotMatrix.cs", "tests/Tests.cs"],
        ["mono", "tests.exe"],
        ["mcs", "-warnaserror", "-out:example/example.exe", "BotMatrix.cs", "example/Program.cs"],
    ],
    "go": [["go", "test", "./..."], ["go", "build", "-o", "example/example", "./example"]],
    "node": [["node", "--test"]],
}


@pytest.fixture(scope="module", params=sorted(STEPS))
def kit(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a kit whose own tests have passed; its example is built."""
    language: str = request.param
    for program in {step[0] for step in STEPS[language]}:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not on this machine")
    folder: Path = tmp_path_factory.mktemp("kit") / language
    shutil.copytree(SDKS / language, folder)
    environ = {**os.environ, "GOFLAGS": "-mod=mod", "GOPROXY": "off"}
    for step in STEPS[language]:
        done = subprocess.run(step, cwd=folder, env=environ, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
async def platform(redis_url: str) -> AsyncIterator[LivePlatform]:
    platform = LivePlatform(redis_url)
    yield platform
    await platform.close()


@pytest.fixture
async def room(kit: Path, redis_url: str, platform: LivePlatform) -> AsyncIterator[TextRoom]:
    host = Host(platform, Isolation(platform, Storage(redis_url, Keys(), platform.clock, name="test-kits")))
    info = await host.load(Source("file", kit.name, kit / "example"))
    assert info.state is PluginState.LOADED, info.error
    yield TextRoom(platform, host)
    await host.close()


async def test_the_example_answers_asks_calls_and_remembers(kit: Path, room: TextRoom, platform: LivePlatform) -> None:
    plugin = f"example-{kit.name}"
    assert await room.say("/echo hello there") == ["hello there"]
    assert await room.say("echo hello") == []
    assert await room.say(f"double 21 of {plugin}") == ["42"]
    assert [await room.say("/count") for _ in range(2)] == [["1"], ["2"]]
    platform.answers["get_group_member_info"] = {"card": "Al"}
    assert await room.say("/card") == ["Al"]
    asking = asyncio.create_task(room.handle(message("/name"), "a" * 24))
    async with asyncio.timeout(10):
        await platform.asked.wait()
    dialogue(platform, "Bob")
    assert texts(await asking) == ["Hello, Bob!"]
    assert process(room.host, plugin)["lines"] == {}
    assert process(room.host, plugin)["refused"] == {}


async def test_the_example_passes_the_check(kit: Path) -> None:
    words = ("/echo hi", "/name", "/count", "/card", "double 21 of somebody")
    findings = [finding async for finding in check(kit / "example", None, words)]
    assert [finding for finding in findings if finding.problem] == []
    assert len(findings) > 20

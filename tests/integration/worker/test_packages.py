"""Workers run the packages that are wanted, whenever they start and whatever was away meanwhile."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from tests.integration.worker.composed import composed, message, said
from tests.integration.worker.shelves import Store, shelf
from tests.integration.worker.support import KEYS, Stage, until
from tests.postgres import PostgresProcess, run_apart
from tests.unit.packaging.archives import package, zipped

from botmatrix.store.migrate import upgrade

WAIT = 60.0


@pytest.fixture
async def store(stage: Stage, database_url: str) -> AsyncIterator[Store]:
    async with shelf(stage, database_url) as store:
        yield store


async def told(stage: Stage, worker: str = "w1", plugin: str = "dice") -> dict[str, Any]:
    """What a worker told of a plugin."""
    found = msgspec.json.decode(await stage.redis.call("GET", KEYS.worker_plugins(worker)) or b"[]")
    return next((one for one in found if one["id"] == plugin), {})


async def has(stage: Stage, worker: str = "w1", plugin: str = "dice", **fields: object) -> None:
    """Wait until a worker tells this of a plugin; `error` need only be part of what it tells."""

    async def is_so() -> bool:
        one = await told(stage, worker, plugin)
        error = str(fields.get("error", ""))
        return error in one.get("error", "") and all(one.get(key) == fields[key] for key in fields.keys() - {"error"})

    await until(is_so, timeout=WAIT)


async def answer(stage: Stage, text: str = "/roll", worker: str = "w1") -> str:
    """What the worker says to that."""
    before = len(await said(stage))
    await stage.put(worker, message(text))
    await stage.until_sent(before + 1, timeout=WAIT)
    return (await said(stage))[-1]


async def test_upgrade_and_rollback_under_traffic_lose_nothing(stage: Stage, home: Path, store: Store) -> None:
    await store.install(package(version="1.0.0", said="one"))
    async with composed(stage, home):
        await has(stage, version="1.0.0", state="loaded")
        count, done = 0, asyncio.Event()

        async def talk() -> None:
            nonlocal count
            while not done.is_set():
                await stage.put("w1", *(message("/roll", user=100 + n) for n in range(10)))
                count += 10
                await asyncio.sleep(0.02)

        talking = asyncio.create_task(talk())
        await stage.until_sent(20, timeout=WAIT)
        await store.install(package(version="2.0.0", said="two"))
        await has(stage, version="2.0.0", state="loaded")
        await until(lambda: _has_said(stage, "two"), timeout=WAIT)
        await store.install(package(version="3.0.0", code="import nowhere_to_be_found"))
        await has(stage, version="2.0.0", state="loaded", error="nowhere_to_be_found")
        await store.roll_back()
        await has(stage, version="2.0.0", state="loaded", error_at=0.0)
        await store.activate("1.0.0")
        await has(stage, version="1.0.0", state="loaded")
        done.set()
        await talking
        await stage.until_settled("w1")
        words = await said(stage)
        assert await answer(stage) == "one"  # once all are answered: the last of the old version may be late
    assert len(words) == count
    assert set(words) == {"one", "two"}


async def _has_said(stage: Stage, word: str) -> bool:
    return word in await said(stage)


async def test_two_workers_and_one_that_starts_later_all_come_to_it(stage: Stage, home: Path, store: Store) -> None:
    other = home / "other"
    other.mkdir()
    async with composed(stage, home), composed(stage, other, "w2"):
        await store.install(package(said="one"))
        await has(stage, "w1", version="1.0.0", state="loaded")
        await has(stage, "w2", version="1.0.0", state="loaded")
        assert [await answer(stage, worker=worker) for worker in ("w1", "w2")] == ["one", "one"]
        await store.install(package(version="2.0.0", said="two"))
        await has(stage, "w2", version="2.0.0", state="loaded")
        digest = hashlib.sha256(package(version="2.0.0", said="two")).hexdigest()
        await stage.redis.call("DEL", KEYS.package(digest))
        later = home / "later"
        later.mkdir()
        async with composed(stage, later, "w3"):
            await has(stage, "w3", version="2.0.0", state="loaded")
            assert await answer(stage, worker="w3") == "two"
        await store.shelf.remove("dice", "tests")
        await until(lambda: _gone(stage, "w1"), timeout=WAIT)
        await until(lambda: _gone(stage, "w2"), timeout=WAIT)


async def _gone(stage: Stage, worker: str) -> bool:
    return not await told(stage, worker)


async def test_a_file_in_its_own_folder_belongs_to_the_worker(stage: Stage, home: Path, store: Store) -> None:
    file = home / "plugins" / "dice.py"
    own = 'from botmatrix import Plugin\nplugin = Plugin(id="dice", version="own")\n'
    own += '@plugin.command("roll")\nasync def roll(ctx):\n    return "own"\n'
    async with composed(stage, home):
        await store.install(package(said="one"))
        await has(stage, version="1.0.0", state="loaded")
        file.write_text(own)
        await has(stage, version="own", state="loaded", shadowed=["bmpk dice 1.0.0"])
        assert await answer(stage) == "own"
        await store.install(package(version="2.0.0", said="two"))
        await has(stage, version="own", shadowed=["bmpk dice 2.0.0"])
        file.unlink()
        await has(stage, version="2.0.0", state="loaded")
        assert await answer(stage) == "two"


async def test_a_package_takes_the_place_of_a_built_in_one_for_as_long_as_it_is_there(
    stage: Stage, home: Path, store: Store
) -> None:
    code = 'from botmatrix import Plugin\nplugin = Plugin(id="ping")\n'
    code += '@plugin.command("ping")\nasync def ping(ctx):\n    return "mine"\n'
    async with composed(stage, home):
        await has(stage, plugin="ping", state="loaded", source="built-in ping")
        await store.install(package(id="ping", code=code))
        await has(stage, plugin="ping", source="bmpk ping 1.0.0", shadowed=["built-in ping"])
        assert await answer(stage, "/ping") == "mine"
        await store.shelf.remove("ping", "tests")
        await has(stage, plugin="ping", state="loaded", source="built-in ping")


async def test_off_stays_off_through_an_upgrade(stage: Stage, home: Path, store: Store) -> None:
    async with composed(stage, home):
        await store.install(package(said="one"))
        await has(stage, state="loaded")
        await store.switch(on=False)
        await has(stage, state="disabled")
        await store.install(package(version="2.0.0", said="two"))
        await has(stage, state="disabled", version="2.0.0")
        await store.switch(on=True)
        await has(stage, state="loaded", version="2.0.0")


async def test_bytes_that_are_not_what_was_pinned_are_refused(
    stage: Stage, home: Path, store: Store, database_url: str
) -> None:
    data = package(said="one")
    await store.install(data)
    await stage.redis.call("DEL", KEYS.package(hashlib.sha256(data).hexdigest()))
    connection = await asyncpg.connect(database_url)
    forged = package(said="six")[: len(data)].ljust(len(data), b"\0")
    await connection.execute("UPDATE plugin_package_parts SET data = $1", forged)
    await connection.close()
    async with composed(stage, home):
        await has(stage, state="failed", error="sha256")
        assert list((home / "packages").glob("[!.]*")) == []


async def test_what_is_here_is_run_while_control_is_away_and_the_rest_comes_later(
    stage: Stage, home: Path, own_postgres: PostgresProcess
) -> None:
    url = own_postgres.url()
    run_apart(upgrade(url, part="tests"))
    async with shelf(stage, url) as store:
        await store.install(package(said="one"))
        async with composed(stage, home):
            await has(stage, state="loaded")
        own_postgres.stop()
        later = home / "later"
        later.mkdir()
        await stage.redis.call("DEL", KEYS.package(hashlib.sha256(package(said="one")).hexdigest()))
        async with composed(stage, home), composed(stage, later, "w2"):
            assert await answer(stage) == "one"
            await has(stage, "w2", state="failed", error="has not come yet")
            own_postgres.start()
            await has(stage, "w2", state="loaded")


UNPACK = """
import asyncio, sys
from pathlib import Path
from botmatrix.core.plugins import Chosen
from botmatrix.worker.plugins.package_cache import PackageCache

data = Path(sys.argv[2]).read_bytes()

class Box:
    async def piece(self, sha256, number):
        return data[number * 262144 : (number + 1) * 262144]

chosen = Chosen(version="1.0.0", sha256=sys.argv[3], size=len(data))
asyncio.run(PackageCache(Path(sys.argv[1]), Box()).fetch("dice", chosen))
"""


def test_a_kill_in_the_middle_of_unpacking_leaves_nothing_half(tmp_path: Path) -> None:
    files = {f"data/{n}": f"{n}" * 50 for n in range(1900)}
    data = zipped({"plugin.json": '{"id": "dice", "version": "1.0.0"}', "plugin.py": "", **files})
    (tmp_path / "dice.bmpk").write_bytes(data)
    folder = tmp_path / "packages"
    digest = hashlib.sha256(data).hexdigest()
    command = [sys.executable, "-c", UNPACK, str(folder), str(tmp_path / "dice.bmpk"), digest]
    environ = {"PYTHONPATH": ":".join(sys.path)}
    process = subprocess.Popen(command, env=environ)

    until_then = time.monotonic() + WAIT
    while not any(len(list(half.glob("data/*"))) > 5 for half in folder.glob(".unpacking-*")):
        assert time.monotonic() < until_then
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert list(folder.glob("[!.]*")) == []
    subprocess.run(command, env=environ, check=True, timeout=120)
    assert list(folder.glob(".unpacking-*")) == []
    (place,) = folder.glob("dice/*")
    assert len(list((place / "data").iterdir())) == 1900


ASKS = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    if asked["type"] == "event" and asked["payload"]["text"] == "who":
        act = {"type": "set_group_card", "correlation_id": "c", "payload": {"card": "x", "group_id": "1"}}
        print(json.dumps({"id": asked["id"], "ok": True, "more": True, "actions": [act]}), flush=True)
    elif asked["type"] == "response":
        pass
    else:
        print(json.dumps({"id": asked["id"], "ok": True, "actions": []}), flush=True)
"""


async def test_a_package_may_do_nothing_until_it_is_granted(stage: Stage, home: Path, store: Store) -> None:
    manifest = {"id": "asks", "version": "1", "entry": [sys.executable.rsplit("/", 1)[1], "main.py"]}
    manifest |= {"events": ["on_message"], "permissions": ["set_group_card"]}
    await store.install(zipped({"plugin.json": json.dumps(manifest), "main.py": ASKS}))
    folder = str(Path(sys.executable).parent)
    async with composed(stage, home, environ={"PATH": f"{folder}:/usr/bin:/bin"}):
        await has(stage, plugin="asks", state="loaded")
        await stage.put("w1", message("who"))

        async def refused() -> bool:
            process = (await told(stage, plugin="asks")).get("process") or {}
            return bool(process.get("refused"))

        await until(refused, timeout=WAIT)
        await store.grant("asks", "set_group_card")

        async def done() -> bool:
            await stage.put("w1", message("who", user=77))
            await asyncio.sleep(0.3)
            entries = await stage.redis.call("XRANGE", KEYS.orphans, "-", "+")
            return any(b"set_group_card" in fields[1] for _, fields in entries)

        await until(done, timeout=WAIT)


def wheel(folder: Path, version: str) -> None:
    """A wheel of a package `clash` that knows its version."""
    info = f"clash-{version}.dist-info"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("clash.py", f'VERSION = "{version}"\n')
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: clash\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"clash.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    (folder / f"clash-{version}-py3-none-any.whl").write_bytes(out.getvalue())


async def test_two_plugins_with_conflicting_dependencies_run_side_by_side(
    stage: Stage, home: Path, store: Store, tmp_path: Path
) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for version in ("1.0", "2.0"):
        wheel(wheels, version)
    for id, version in (("old", "1.0"), ("new", "2.0")):
        code = f'import clash\nfrom botmatrix import Plugin\nplugin = Plugin(id="{id}")\n'
        code += f'@plugin.command("{id}")\nasync def tell(ctx):\n    return clash.VERSION\n'
        requirements = [f"clash=={version}"]
        await store.install(package(id=id, code=code, isolation="process", requirements=requirements))
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "UV_OFFLINE": "1", "UV_FIND_LINKS": str(wheels)}
    async with composed(stage, home, environ={**offline, "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}):
        async with asyncio.timeout(240):
            for id in ("old", "new"):
                while (await told(stage, plugin=id)).get("state") != "loaded":
                    await asyncio.sleep(0.2)
        assert [await answer(stage, f"/{id}") for id in ("old", "new")] == ["1.0", "2.0"]

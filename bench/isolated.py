"""`python -m bench.isolated`: echo plugins in processes of their own, from an event at the host to its outcome.

Without Redis and bots, which the other cases have; so these figures are the cost of the pipe, the plugin and the host.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import uvloop

from botmatrix.bus.envelope import Envelope
from botmatrix.clock import SystemClock
from botmatrix.core.plugin_settings import Configured
from botmatrix.embedded.process import calm_collector
from botmatrix.sdk.services import Services
from botmatrix.worker.outcome import Done
from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.info import PluginState
from botmatrix.worker.plugins.isolated.plugin import Isolation
from botmatrix.worker.plugins.source import Source

SDKS = Path(__file__).parents[1] / "sdks"
SECONDS, SLOTS, RATE = 4.0, 64, 500
PYTHON = """
import json, sys
for line in sys.stdin:
    m = json.loads(line)
    p = m["payload"]
    act = {"type": "send_message", "target": p["from"], "target_id": p["group_id"], "text": p["text"]}
    sys.stdout.write(json.dumps({"id": m["id"], "ok": True, "actions": [act]}) + "\\n")
    sys.stdout.flush()
"""
IN_PROCESS = """
from botmatrix import Plugin
plugin = Plugin(id="echo")
@plugin.command("echo")
async def echo(ctx):
    await ctx.reply(ctx.args)
"""


def main() -> None:
    calm_collector()  # as a worker does
    folder = Path(tempfile.mkdtemp(prefix="bm-bench-isolated-"))
    try:
        for name, source in contestants(folder).items():
            uvloop.run(measure(name, source))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def contestants(folder: Path) -> dict[str, Source]:
    """The plugins, ready to be loaded."""
    (folder / "echo.py").write_text(IN_PROCESS)
    found = {"in the worker": Source("file", "echo", folder / "echo.py")}
    found["Python"] = written(folder / "python", ["python3", "main.py"], "main.py", PYTHON)
    if shutil.which("go"):
        shutil.copytree(SDKS / "go", folder / "kit-go")
        subprocess.run(["go", "build", "-o", "../go-example", "./example"], cwd=folder / "kit-go", check=True)
        found["Go kit"] = written(folder / "go", [str(folder / "go-example")])
    if shutil.which("node"):
        found["Node.js kit"] = written(folder / "node", ["node", str(SDKS / "node" / "example" / "main.js")])
    sdk = {"id": "echo", "isolation": "process"}
    (folder / "sdk").mkdir()
    (folder / "sdk" / "plugin.json").write_text(json.dumps(sdk))
    (folder / "sdk" / "plugin.py").write_text(IN_PROCESS)
    found["Python SDK"] = Source("file", "echo", folder / "sdk")
    return found


def written(folder: Path, entry: list[str], file: str = "", code: str = "") -> Source:
    """A plugin folder."""
    folder.mkdir()
    told = {"id": "echo", "entry": entry, "events": ["on_message"], "max_concurrency": 64, "limits": {"cpu": 4}}
    (folder / "plugin.json").write_text(json.dumps(told))
    if file:
        (folder / file).write_text(code)
    return Source("file", "echo", folder)


async def measure(name: str, source: Source) -> None:
    """One line of the table."""
    services = bare_services()
    host = Host(services, Isolation(services))
    info = await host.load(source)
    assert info.state is PluginState.LOADED, info.error
    await asyncio.sleep(1)
    took: list[float] = []
    await asyncio.gather(*(one(host, n, []) for n in range(200)))
    spent, rate = time.process_time(), await closed_loop(host)
    spent = (time.process_time() - spent) / (rate * SECONDS)
    await open_loop(host, took)
    took.sort()
    p50, p99 = (took[int(len(took) * part)] * 1000 for part in (0.5, 0.99))
    cpu = f"{spent * 1e6:5.0f} us of the worker's CPU an event"
    print(f"{name:14} {rate:7,.0f} events/s, {cpu}; at {RATE}/s p50 {p50:5.2f} ms, p99 {p99:5.2f} ms")
    await host.close()


async def closed_loop(host: Host) -> float:
    """Events a second with `SLOTS` under way."""
    end, done = time.perf_counter() + SECONDS, 0

    async def slot(number: int) -> None:
        nonlocal done
        while time.perf_counter() < end:
            await one(host, number * 1_000_000 + done, [])
            done += 1

    await asyncio.gather(*(slot(number) for number in range(SLOTS)))
    return done / SECONDS


async def open_loop(host: Host, took: list[float]) -> None:
    """`RATE` events a second, each at its time, whatever became of those before it."""
    began, tasks = time.perf_counter() + 0.1, []
    for number in range(int(RATE * SECONDS)):
        await asyncio.sleep(max(0.0, began + number / RATE - time.perf_counter()))
        tasks.append(asyncio.create_task(one(host, number, took, due=began + number / RATE)))
    await asyncio.gather(*tasks)


async def one(host: Host, number: int, took: list[float], due: float = 0) -> None:
    """An event, and its outcome."""
    outcome = await host.handle(*event_of(number))
    assert isinstance(outcome, Done)
    assert len(outcome.actions) == 1
    took.append(time.perf_counter() - due)


def event_of(number: int) -> tuple[Envelope, dict[str, Any]]:
    """Somebody says `/echo NUMBER` in a group."""
    event: dict[str, Any] = {
        **{"post_type": "message", "message_type": "group", "self_id": 10001, "user_id": 123, "group_id": 456},
        **{"message_id": number, "time": 1_700_000_000, "sender": {"user_id": 123, "nickname": "alice"}},
        "message": [{"type": "text", "data": {"text": f"/echo {number}"}}],
    }
    return Envelope(f"{number:024x}", "qq:10001", "group:456", "n.1", 1, 0, msgspec.Raw(b"{}")), event


def bare_services() -> Services:
    """Just enough of a worker: nothing here is sent early, asked or kept."""
    memory = SimpleNamespace(wanted=False)
    settings = SimpleNamespace(
        command_prefixes=["/"], chat_admins=[], disabled_plugins=[], plugin_grants=[], plugin_dirs=[]
    )
    status: Mapping[str, Any] = {}
    services = SimpleNamespace(
        **{"worker_id": "w1", "clock": SystemClock(), "settings": settings, "values": None},
        **{"sessions": SimpleNamespace(memory=memory), "uses": None, "status": lambda: status},
        configured=lambda _plugin: Configured(),
        grants=lambda plugin, _wish, packaged: plugin.permissions,
        offload=lambda _segments: [],
        apart=lambda _event_id: None,
    )
    return cast("Services", services)


if __name__ == "__main__":
    main()

"""The child's side of a Python plugin: a host of its own for one plugin, which speaks the protocol with the worker.

Run as `python -m botmatrix.worker.plugins.isolated.runner FOLDER`. Standard output belongs to the protocol; whatever
the plugin prints goes to its log.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import msgspec
import uvloop

from botmatrix.bus.envelope import Envelope
from botmatrix.core.plugin_settings import Configured
from botmatrix.pipes import for_loop
from botmatrix.sdk.handler import Handler, Trigger
from botmatrix.worker.outcome import Dead, Outcome, Retry
from botmatrix.worker.plugins.blocked import blame
from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.info import PluginInfo, PluginState
from botmatrix.worker.plugins.isolated.given import SETTINGS
from botmatrix.worker.plugins.isolated.lines import LONGEST as LONGEST_LINE
from botmatrix.worker.plugins.isolated.remote import RemoteServices
from botmatrix.worker.plugins.isolated.ticks import CRON
from botmatrix.worker.plugins.source import Source
from botmatrix.worker.watchdog import Watchdog

log = logging.getLogger(__name__)

PULSE = 0.25
LONGEST = 2 << 20
_EVENTS = {
    Trigger.COMMAND: "on_message",
    Trigger.MESSAGE: "on_message",
    Trigger.NOTICE: "on_notice",
    Trigger.REQUEST: "on_request",
}
_encode = msgspec.json.Encoder(enc_hook=str).encode
Say = Callable[[Mapping[str, Any]], None]


class Runner:
    """Hands events to the host, and what became of them back."""

    def __init__(self, host: Host, services: RemoteServices, say: Say) -> None:
        self._host, self._services, self._say = host, services, say

    async def listen(self, lines: asyncio.StreamReader) -> None:
        """Until the worker closes the pipe."""
        async with asyncio.TaskGroup() as group:
            while line := await lines.readline():
                told = msgspec.json.decode(line, type=dict[str, Any])
                if told["type"] == "response":
                    self._services.answered(told["correlation_id"], told["payload"])
                elif told["name"] == SETTINGS:
                    wanted = self._services.configure(told["payload"])
                    if told["type"] == "event":
                        group.create_task(self._settle(told["id"], wanted), name="settings")
                elif told["name"].startswith(CRON):
                    group.create_task(self._tick(told["id"], told["name"].removeprefix(CRON)), name="cron")
                else:
                    group.create_task(self._handle(told["id"], told["payload"]), name="event")
        self._services.closed()

    async def _handle(self, id: str, told: dict[str, Any]) -> None:
        event, envelope = told["raw"], _envelope(told)
        self._services.begin(envelope.id, id, told)
        try:
            if "skill" in told:
                result = await self._host.skills.run(told["skill"], told["params"], math.inf)
                self._say({"id": id, "ok": True, "actions": [{"type": "skill_result", "payload": {"result": result}}]})
            else:
                self._say({"id": id, **_answer(await self._host.handle(envelope, event))})
        except Exception as error:
            log.exception("handling an event failed")
            self._say({"id": id, "ok": False, "error": f"{type(error).__name__}: {error}"})
        finally:
            self._services.end(envelope.id)

    async def _tick(self, id: str, function: str) -> None:
        """Run what the clock starts; what goes wrong in it is in the plugin's log."""
        (found,) = self._host.plugins
        told: dict[str, Any] = {"id": id, "ok": True}
        with self._services.ticks.running(id):
            try:
                await self._host.tick(f"{found.id}.{function}")
            except KeyError:
                told |= {"ok": False, "error": f"there is no {function}"}
        self._say(told)

    async def _settle(self, id: str, wanted: Configured) -> None:
        """Have the plugin go by new settings, and say how that went."""
        await self._host.configure()
        (found,) = self._host.plugins
        self._say({"id": id, "ok": found.settings_version == wanted.version, "error": found.settings_error})

    async def watch(self) -> None:
        """Keep handlers to their time, and the loop alive, until cancelled."""
        watchdog = Watchdog(blame)
        watchdog.start()
        try:
            while True:
                watchdog.beat()
                self._host.expire(time.monotonic())
                await asyncio.sleep(PULSE)
        finally:
            watchdog.stop()


def _envelope(told: Mapping[str, Any]) -> Envelope:
    group, user = told["group_id"], told["user_id"]
    private = told["raw"].get("message_type") == "private"
    conv = f"group:{group}" if group and not private else f"private:{user}" if user else "bot"
    bot = f"{told['platform']}:{told['self_id']}"
    return Envelope(told["event_id"], bot, conv, "", 0, int(told["received_at"] * 1000), msgspec.Raw(b"{}"))


def _answer(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Retry):
        return {"ok": False, "error": outcome.reason, "retry_after": outcome.after.total_seconds()}
    if isinstance(outcome, Dead):
        return {"ok": False, "error": outcome.reason}
    return {"ok": True, "actions": [{"type": one.action, "payload": one.params} for one in outcome.actions]}


def hello(found: PluginInfo, host: Host, *, history: bool) -> dict[str, Any]:
    """What is told first: who it is and what it listens to; `error` when it can't be loaded."""
    handlers: list[Handler] = host.handlers()
    return {
        "type": "hello",
        "id": found.id,
        "name": found.name,
        "version": found.version,
        "description": found.description,
        "events": sorted({_EVENTS[handler.trigger] for handler in handlers}),
        "timeout": max((handler.timeout for handler in handlers), default=60.0),
        "history": history,
        "commands": [command._asdict() for command in host.commands()],
        "skills": [
            {
                **{"name": skill.name, "description": skill.description, "regex": skill.regex},
                **{"permission": skill.permission, "schema": skill.schema, "timeout": skill.timeout},
            }
            for skill in host.skills.offered()
        ],
        "crons": [
            {"name": cron.name, "expression": cron.expression, "tz": cron.zone.key, "timeout": cron.timeout}
            for cron in host.crons()
        ],
        "settings": found.settings_schema,
        "unfit": found.state is PluginState.FAILED and found.settings_schema is not None,
        "error": "" if found.state is PluginState.LOADED else found.error or found.state,
    }


async def main(folder: Path) -> None:
    """Load the plugin, say hello, and work until the pipe is closed."""
    out = _protocol_output()

    def say(answer: Mapping[str, Any]) -> None:
        line = bytes(_encode(answer)) + b"\n"
        if len(line) > LONGEST_LINE:
            raise ValueError(f"what is said at once has {len(line) >> 10} KiB, and may have {LONGEST_LINE >> 10}")
        _write(out, line)

    services = RemoteServices(say)
    host = Host(services)
    lines = asyncio.StreamReader(limit=LONGEST)
    protocol = asyncio.StreamReaderProtocol(lines)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, for_loop(_protocol_input()))
    file = next((folder / name for name in ("__init__.py", "plugin.py") if (folder / name).is_file()), folder)
    runner = Runner(host, services, say)
    listening = asyncio.create_task(runner.listen(lines), name="lines")  # already its startup may use the store
    try:
        if not await services.know():
            return
        found = await host.load(Source("file", folder.name, file))
        say(hello(found, host, history=services.sessions.memory.asked_for))
        if found.state is PluginState.LOADED:
            watching = asyncio.create_task(runner.watch(), name="pulse")
            await listening
            watching.cancel()
    finally:
        listening.cancel()
        await asyncio.wait([listening])
        await host.close()


def _protocol_input() -> IO[bytes]:
    """The pipe from the worker; for whoever reads standard input from now on there is none."""
    lines = os.fdopen(os.dup(0), "rb", 0)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    return lines


def _protocol_output() -> int:
    """The pipe to the worker; what is printed from now on goes to standard error."""
    out = os.dup(1)
    os.dup2(2, 1)
    return out


def _write(out: int, data: bytes) -> None:
    while data:
        data = data[os.write(out, data) :]


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the end of standard input is the word to end, in order
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    uvloop.run(main(Path(sys.argv[1])))

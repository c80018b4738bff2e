"""Does a program speak the protocol? Every message of it is sent, and what is wrong said in plain words.

The program is started as a worker would start it, but steps back for nobody. What it wants to do is looked at, and not
done.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from botmatrix.clock import SystemClock
from botmatrix.core.plugin_settings import Configured
from botmatrix.worker.plugins.isolated import python
from botmatrix.worker.plugins.isolated.broker import Broker, Here, Refused
from botmatrix.worker.plugins.isolated.child import Launch
from botmatrix.worker.plugins.isolated.exchange import Exchange, PluginError
from botmatrix.worker.plugins.isolated.figures import Figures, State
from botmatrix.worker.plugins.isolated.given import greet
from botmatrix.worker.plugins.isolated.going import INTERNAL
from botmatrix.worker.plugins.isolated.keeper import Keeper, Pace
from botmatrix.worker.plugins.isolated.lines import Action, Call, ToldCron
from botmatrix.worker.plugins.isolated.manifest import Manifest, read_manifest
from botmatrix.worker.plugins.isolated.pretended import ANSWER, World
from botmatrix.worker.plugins.isolated.ticks import CRON
from botmatrix.worker.plugins.loader import LoadError

AT_ONCE = 10
LONGEST_CRON = 30.0
"""Seconds that what the clock starts may take here."""
TICKING = frozenset({"app.speaker", "app.call"})
"""What it may ask for."""
HERE = Here("qq:10001", "123", "456", numeric=True)
RAW = {"self_id": 10001, "user_id": 123, "group_id": 456, "message_id": 9, "time": 1_700_000_000}
OWN = frozenset({"skill_result", "skill_response"})
BAD_LINES = {
    "no_json": "lines that begin with { and are no JSON",
    "no_answer": "lines without a text `id`, a true or false `ok`, and a list `actions`",
    "no_action": "actions without a text `type`, or whose parts have wrong types",
    "no_hello": "hello that can't be read",
    "unknown_id": "answers with an id that was not given out",
    "late": "more than one last answer for an event",
    "too_long": "lines of more than 1 MiB",
}


class Finding(NamedTuple):
    """One thing that was looked at. `problem`: what is wrong, empty when nothing is."""

    what: str
    problem: str = ""


async def check(folder: Path, envs: Path | None, words: Sequence[str] = ()) -> AsyncIterator[Finding]:
    """Findings, as they come. Stops after one that makes the rest meaningless. `words` are said to it besides."""
    try:
        manifest = _as_apart(read_manifest(folder), folder)
        argv, env = await python.program(manifest, folder, envs)
    except LoadError as error:
        yield Finding("plugin.json can be read and names a program", str(error))
        return
    yield Finding("plugin.json can be read and names a program")
    # It is looked at how long it takes, and beside somebody else's work it would take as long as that.
    program = Program(manifest, Launch(manifest.id, argv, folder, manifest.limits, env, steps_back=False))
    try:
        await program.start()
    except LoadError as error:
        await program.keeper.stop()
        yield Finding("it starts and stays", str(error))
        return
    yield Finding("it starts and stays")
    try:
        async for finding in _conversation(program, words):
            yield finding
    finally:
        began = time.monotonic()
        await program.keeper.stop()
    taken = time.monotonic() - began
    yield Finding("it ends when it is told to", "" if taken < 1.9 else "it had to be killed: end when stdin is closed")


def _as_apart(manifest: Manifest, folder: Path) -> Manifest:
    """Python that runs in the worker names its permissions in its code; here it runs in a process of its own."""
    if manifest.isolated or not any((folder / name).is_file() for name in ("plugin.py", "__init__.py")):
        return manifest
    return msgspec.structs.replace(manifest, isolation="process", permissions=["*"])


class Program:
    """The program under test."""

    def __init__(self, manifest: Manifest, launch: Launch) -> None:
        self.manifest, self.figures = manifest, Figures()
        self.exchange = Exchange(self.figures)
        says_hello = python.is_python(manifest)
        self.keeper = Keeper(
            launch, self.exchange, self.figures, SystemClock(), pace=Pace(most=1), says_hello=says_hello
        )
        if says_hello:
            self.keeper.on_start = partial(greet, self.exchange, Configured())
            self.exchange.on_call = self._called
        self._broker = Broker(manifest.wanted)
        self.world = World(INTERNAL | TICKING if says_hello else ())
        self.crons: Sequence[ToldCron] = ()

    async def start(self) -> None:
        """Raises `LoadError` when it does not stay."""
        hello = await self.keeper.start()
        self.crons = hello.crons if hello else ()

    async def event(self, name: str, payload: Mapping[str, Any], timeout: float = 0) -> str:
        """Send one; what is wrong with the answer. `timeout`: seconds, unless the manifest says more."""
        timeout = max(self.manifest.timeout_ms / 1000, 1.0, timeout)
        try:
            with self.exchange.ask(name, payload, id="check") as pending:
                while True:
                    said = await pending.next(timeout)
                    problem = "; ".join(filter(None, (self._wrong(action) for action in said.actions)))
                    if problem or not said.ok or not said.more:
                        return problem or ("" if said.ok or said.error else "it failed and gave no `error`")
                    self._answer(said.actions)
        except TimeoutError:
            return f"no last answer within {timeout:g} s"
        except PluginError as error:
            return f"its process {error}"

    def _wrong(self, action: Action) -> str:
        if action.type in TICKING:
            name = str(action.params.get("action", "send_msg"))
            return "" if self._broker.allows(name) else f"{name} is not in permissions"
        if action.type in OWN | INTERNAL or action.type.startswith("storage."):
            return ""
        try:
            if action.type == "call_skill":
                return "" if self._broker.allows("call_skill") else "call_skill is not in permissions"
            self._broker.translated(action, HERE)
        except Refused as error:
            return f"{action.type}: {error}"
        return ""

    def _called(self, call: Call) -> None:
        told = self.world.call(call.name, msgspec.json.decode(call.payload, type=dict[str, Any]), payload(ANSWER))
        self.exchange.tell("response", f"{call.name}_response", told, call.id)

    def _answer(self, actions: list[Action]) -> None:
        for action in actions:
            if action.correlation_id:
                answer = self.world.response(action, payload(ANSWER))
                self.exchange.tell(answer.type, answer.name, answer.payload, action.correlation_id)


async def _conversation(program: Program, more: Sequence[str]) -> AsyncIterator[Finding]:
    for words in ("hello", "/help", "", "天气 😀 \n\u2028", "[CQ:at,qq=all]"):
        yield Finding(f"it answers a message: {words!r}", await program.event("on_message", payload(words)))
    many = await asyncio.gather(*(program.event("on_message", payload(f"n{n}")) for n in range(AT_ONCE)))
    yield Finding(f"it answers {AT_ONCE} messages at once", next(filter(None, many), ""))
    yield Finding("it answers a long message", await program.event("on_message", payload("x" * 300_000)))
    for name in ("on_notice", "on_request", "skill_no_such_skill", "no_such_event"):
        yield Finding(f"it answers {name}", await program.event(name, payload("")))
    for intent in program.manifest.intents:
        told = payload(intent.keywords[0] if intent.keywords else "x") | {"intent_name": intent.name}
        yield Finding(f"it answers intent_{intent.name}", await program.event(f"intent_{intent.name}", told))
    for cron in program.crons:
        problem = await program.event(f"{CRON}{cron.name}", {}, min(cron.timeout, LONGEST_CRON))
        yield Finding(f"it runs what the clock starts: {cron.name}", problem)
    for program.world.works in (True, False):
        about = "everything works" if program.world.works else "nothing works"
        for words in more:
            yield Finding(f"it answers {words!r} while {about}", await program.event("on_message", payload(words)))
    program.exchange.tell("response", "storage.get_response", {"ok": True, "value": None}, "nobody-waits-for-this")
    yield Finding("it goes on after a response nobody waits for", await program.event("on_message", payload("again")))
    yield Finding("it stays", "" if program.figures.state is State.RUNNING else program.figures.error)
    for reason, words in BAD_LINES.items():
        count = program.figures.lines[reason]
        yield Finding(f"it writes no {words}", f"{count} of them" if count else "")


def payload(text: str) -> dict[str, Any]:
    """Of an event in a group."""
    ids = {"from": "123", "user_id": "123", "group_id": "456", "platform": "qq", "self_id": "10001"}
    raw = {**RAW, "post_type": "message", "message_type": "group", "message": text, "sender": {"role": "member"}}
    more = {"message_id": "9", "event_id": "check", "received_at": time.time(), "prefixes": ["/"], "chat_admin": False}
    return {**ids, "text": text, **more, "raw": raw}

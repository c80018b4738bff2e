"""The chat platform's side for tests of plugins: a worker's services that answer actions from a script."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from botmatrix.bus.client import Client
from botmatrix.bus.cron import CronBox
from botmatrix.bus.envelope import ActionEntry, Envelope
from botmatrix.bus.keys import Keys
from botmatrix.bus.media import MediaBox
from botmatrix.bus.sessions import SessionBox
from botmatrix.bus.uses import UseBox
from botmatrix.clock import ManualClock
from botmatrix.core.plugin_settings import Configured
from botmatrix.core.plugins import Wish
from botmatrix.errors import ActionFailed, ActionUnknown, SkillFailed
from botmatrix.sdk.address import Address
from botmatrix.sdk.plugin import Plugin
from botmatrix.skills.model import SkillAsk
from botmatrix.store.plugin_values import PluginValues
from botmatrix.worker.outcome import Dead, Done, Outcome
from botmatrix.worker.plugins.grants import grants
from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.source import Source
from botmatrix.worker.processes import Processes

BOT = "qq:10001"


class Result(NamedTuple):
    """A finished action."""

    state: str
    retcode: int = 0
    data: bytes = b""
    message: str = ""


@dataclass
class Settings:
    command_prefixes: list[str] = field(default_factory=lambda: ["/"])
    chat_admins: list[str] = field(default_factory=list)
    disabled_plugins: list[str] = field(default_factory=list)
    plugin_grants: list[str] = field(default_factory=list)
    skill_permissions: list[str] = field(default_factory=list)
    plugin_dirs: list[Path] = field(default_factory=list)


@dataclass
class Times:
    session_ttl_sec: int = 86_400
    session_history: int = 5


class Platform:
    """A bot that answers actions with the data it was told, once per action id, and remembers what it did.

    Redis is a real one.
    """

    def __init__(self, redis_url: str, database_url: str = "") -> None:
        self.worker_id = "w1"
        self.url = database_url
        self.clock = ManualClock()
        self.asked = asyncio.Event()
        self.listening: asyncio.Future[tuple[Envelope, dict[str, Any]] | None] | None = None
        self.times = Times()
        client = Client(redis_url, name="platform")
        self.sessions = SessionBox(client, Keys(), lambda: self.times, self.clock)
        self._values = PluginValues(database_url, part="tests")
        self.uses = UseBox(client, Keys())
        self.settings = Settings()
        self.processes = Processes(2)
        self.media = MediaBox(client, Keys(), self.clock)
        self.crons = CronBox(client, Keys(), "w1", self.clock)
        self.wanted: dict[str, Configured] = {}
        self.answers: dict[str, Any] = {"send_msg": {"message_id": 77}}
        self.done: dict[str, tuple[ActionEntry, Result]] = {}

    def offload(self, segments: Iterable[dict[str, Any]]) -> list[Callable[[], Awaitable[None]]]:
        return self.media.offload(segments)

    async def keep_media(self, token: str, data: bytes) -> None:
        await self.media.keep(token, data)

    async def database_url(self) -> str:
        return self.url

    def grants(self, plugin: Plugin, wish: Wish, *, packaged: bool) -> Collection[str]:
        return grants(plugin, wish, self.settings.plugin_grants, packaged=packaged)

    async def speaker(self, there: Address, preferred: str) -> str:
        if there.platform != "qq":
            raise ActionFailed(1404, "there is no bot")
        return preferred or f"{there.platform}:10001"

    async def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await self.processes.run(function, *args, **kwargs)

    def resting(self, event_id: str) -> AbstractContextManager[None]:
        return nullcontext()

    def apart(self, event_id: str) -> None:
        """There are places enough."""

    def configured(self, plugin: str) -> Configured:
        return self.wanted.get(plugin, Configured())

    async def call(self, entry: ActionEntry) -> Result:
        if entry.aid not in self.done:
            self.done[entry.aid] = (entry, self._result(entry))
        return self.done[entry.aid][1]

    async def call_skill(self, ask: SkillAsk, event_id: str) -> str:
        raise SkillFailed(ask.skill, "the skill system is off")

    async def post(self, entry: ActionEntry) -> str:
        return (await self.call(entry)).state

    def status(self) -> Mapping[str, Any]:
        return {"pool": "default"}

    async def asking(self, event_id: str, ask_id: str) -> Platform:
        return self

    async def answer(self, timeout: float) -> tuple[Envelope, dict[str, Any]] | None:
        self.listening = asyncio.get_running_loop().create_future()
        self.asked.set()
        return await self.listening

    def values(self) -> PluginValues:
        return self._values

    async def close(self) -> None:
        """End the connection to Redis."""
        await self.processes.close()
        await self.sessions.close()
        await self._values.close()

    @property
    def sent(self) -> list[tuple[str, Any]]:
        """What it was asked to do early, in order: action and parameters."""
        return [(entry.action, msgspec.json.decode(entry.params)) for entry, _ in self.done.values()]

    def _result(self, entry: ActionEntry) -> Result:
        answer = self.answers.get(entry.action, ActionFailed(1404, "no such action"))
        if isinstance(answer, ActionFailed):
            return Result("FAILED", answer.retcode, b"null", answer.message)
        if isinstance(answer, ActionUnknown):
            return Result("UNKNOWN")
        return answer if isinstance(answer, Result) else Result("DONE", 0, msgspec.json.encode(answer))


def message(text: Any, **fields: Any) -> dict[str, Any]:
    """A group message; `text` may be a string, as text segment, or an array of segments."""
    said = [{"type": "text", "data": {"text": text}}] if isinstance(text, str) else text
    event = {
        "post_type": "message",
        "message_type": "group",
        "self_id": 10001,
        "user_id": 123,
        "group_id": 456,
        "message_id": 9,
        "message": said,
        "sender": {"user_id": 123, "nickname": "alice", "role": "member"},
    }
    return {**event, **fields}


def private(text: Any, **fields: Any) -> dict[str, Any]:
    event = message(text, message_type="private", **fields)
    del event["group_id"]
    return event


def envelope(event: dict[str, Any], id: str = "e" * 24, bot: str = BOT) -> Envelope:
    group = event.get("group_id")
    conv = f"group:{group}" if group else f"private:{event.get('user_id')}"
    return Envelope(id, bot, conv, "n.1", 1, 1_699_999_999_988, msgspec.Raw(b"{}"))


class Room:
    """A host with plugins, and somebody who talks to it."""

    def __init__(self, platform: Platform, host: Host) -> None:
        self.platform = platform
        self.host = host

    async def handle(self, event: dict[str, Any], id: str = "e" * 24) -> Outcome:
        return await self.host.handle(envelope(event, id), event)

    async def say(self, text: Any, **fields: Any) -> list[str]:
        """Say something in the group; the texts of the buffered replies, as CQ."""
        return replies(await self.handle(message(text, **fields)))


class Talk(Room):
    """A room in which what is said next answers an open question; a handler that asks has done nothing more yet."""

    _task: asyncio.Task[Outcome]

    async def handle(self, event: dict[str, Any], id: str = "e" * 24) -> Outcome:
        platform = self.platform
        if platform.listening is None:
            self._task = asyncio.create_task(super().handle(event, id))
        else:
            await self.answer((envelope(event, id), event))
        return await self._next()

    async def wait(self) -> Outcome:
        """Nobody answers."""
        await self.answer(None)
        return await self._next()

    async def answer(self, found: tuple[Envelope, dict[str, Any]] | None) -> None:
        listening, self.platform.listening = self.platform.listening, None
        self.platform.asked.clear()
        assert listening is not None
        listening.set_result(found)

    async def _next(self) -> Outcome:
        asked = asyncio.create_task(self.platform.asked.wait())
        await asyncio.wait([self._task, asked], return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        return self._task.result() if self._task.done() else Done([])


def actions(outcome: Outcome) -> list[ActionEntry]:
    assert isinstance(outcome, Done | Dead)
    return outcome.actions


def replies(outcome: Outcome) -> list[str]:
    from botmatrix import Message

    return [Message.parse(msgspec.json.decode(entry.params)["message"]).to_cq() for entry in actions(outcome)]


def write_plugin(folder: Path, code: str, name: str = "mine") -> Source:
    """A plugin file. Its code finds `plugin` and the SDK's names ready."""
    path = folder / f"{name}.py"
    head = "from botmatrix import *\nfrom typing import Literal, Optional\n"
    head += f"plugin = Plugin(id={name!r}, permissions='*')\n"
    path.write_text(head + textwrap.dedent(code))
    return Source("file", name, path)

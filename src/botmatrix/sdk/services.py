"""What a worker gives to its plugins, as small protocols; the worker implements them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from botmatrix.bus.cron import CronBox
from botmatrix.bus.envelope import ActionEntry, Envelope
from botmatrix.bus.sessions import SessionBox
from botmatrix.bus.uses import UseBox
from botmatrix.clock import Clock
from botmatrix.core.plugin_settings import Configured
from botmatrix.core.plugins import Wish
from botmatrix.sdk.address import Address
from botmatrix.sdk.perm import Permission
from botmatrix.sdk.store import Values
from botmatrix.skills.model import SkillAsk

if TYPE_CHECKING:
    from botmatrix.sdk.plugin import Plugin


class ActionResult(Protocol):
    """How an action ended, as far as is known."""

    @property
    def state(self) -> str:
        """QUEUED, SENT, DONE, FAILED, UNKNOWN, EXPIRED; NOBOT or OFFLINE: nothing was enqueued."""
        ...

    @property
    def retcode(self) -> int: ...

    @property
    def data(self) -> bytes:
        """The answer's `data`, JSON; may be empty."""
        ...

    @property
    def message(self) -> str: ...


class Question(Protocol):
    """A question that is about to leave."""

    async def answer(self, timeout: float) -> tuple[Envelope, dict[str, Any]] | None:
        """The person's next message in that conversation; None when none comes in so many seconds."""
        ...


class PluginSettings(Protocol):
    """The settings that plugins depend on; those that are hot are read anew for each event."""

    @property
    def command_prefixes(self) -> Sequence[str]: ...

    @property
    def chat_admins(self) -> Sequence[str]:
        """`platform:user_id` of each person who may command the hub from chat."""
        ...

    @property
    def disabled_plugins(self) -> Sequence[str]: ...

    @property
    def plugin_grants(self) -> Sequence[str]:
        """`PLUGIN:ACTION`: what isolated plugins that are named here may do."""
        ...

    @property
    def skill_permissions(self) -> Sequence[str]:
        """`SKILL:PERMISSION`: who may use the skills that are named here."""
        ...

    @property
    def plugin_dirs(self) -> Sequence[Path]: ...


class Services(Protocol):
    """The worker, as its plugins' host sees it."""

    @property
    def worker_id(self) -> str: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def settings(self) -> PluginSettings: ...

    @property
    def sessions(self) -> SessionBox: ...

    @property
    def uses(self) -> UseBox: ...

    def grants(self, plugin: Plugin, wish: Wish, *, packaged: bool) -> Collection[str]:
        """Names of the actions that a plugin may have bots do; `*`: all. `wish`: what an administrator wants of it."""
        ...

    def offload(self, segments: Iterable[dict[str, Any]]) -> list[Callable[[], Awaitable[None]]]:
        """Put names in the place of large media; what is given keeps them. Raises `ActionFailed`."""
        ...

    async def keep_media(self, token: str, data: bytes) -> None:
        """Keep a piece of media for an hour under this name. Raises `ActionFailed`, `EngineUnavailable`."""
        ...

    async def speaker(self, there: Address, preferred: str) -> str:
        """The bot (`platform:self_id`) that can speak there, `preferred` if it can. Raises `ActionFailed`."""
        ...

    async def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What a function gives in another process."""
        ...

    def resting(self, event_id: str) -> AbstractContextManager[None]:
        """While the handling of this event waits, others are handled in its place."""
        ...

    def apart(self, event_id: str) -> None:
        """Only plugins with processes of their own are still at work on this event: others need not wait for it."""
        ...

    @property
    def crons(self) -> CronBox | None:
        """Who runs what the clock starts; None: it runs when the host is told to run it."""
        ...

    def configured(self, plugin: str) -> Configured:
        """The settings that are wanted of a plugin."""
        ...

    async def database_url(self) -> str:
        """Where PostgreSQL is; empty when this worker has none."""
        ...

    def values(self) -> Values:
        """What plugins keep for good; opened when it is first asked for."""
        ...

    async def call(self, entry: ActionEntry) -> ActionResult:
        """Enqueue the action once for its id, wait for the result; a second time gives the first result."""
        ...

    async def call_skill(self, ask: SkillAsk, event_id: str) -> str:
        """Have a skill executed once for its id, and wait: its result. Raises `SkillFailed`."""
        ...

    async def asking(self, event_id: str, ask_id: str) -> Question:
        """Before a question leaves: what is said from now on answers it. Raises `TooManyQuestions`."""
        ...

    async def post(self, entry: ActionEntry) -> object:
        """Enqueue the action once for its id; do not wait."""
        ...

    def status(self) -> Mapping[str, Any]:
        """What the worker says of itself: names and values, for people."""
        ...


class CommandInfo(NamedTuple):
    """One installed command, for listings."""

    plugin: str
    name: str
    aliases: tuple[str, ...]
    usage: str
    description: str
    permission: Permission


class Worker(Protocol):
    """What a plugin may see of the worker it runs in (`ctx.worker`)."""

    @property
    def id(self) -> str: ...

    @property
    def prefix(self) -> str:
        """What to write before a command."""
        ...

    def commands(self) -> list[CommandInfo]:
        """The commands of the plugins that are loaded, by name."""
        ...

    def status(self) -> Mapping[str, Any]:
        """Uptime in seconds (`uptime`), events handled (`handled`), ids of plugins (`plugins`), and more."""
        ...

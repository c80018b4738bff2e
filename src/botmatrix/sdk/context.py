"""`Context`: one event, as one handler sees it, and what the handler can do about it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Generator, Iterable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar, overload

from botmatrix.bus.envelope import ActionEntry, Envelope
from botmatrix.bus.sessions import Names
from botmatrix.onebot.message import Message, Sendable
from botmatrix.sdk.address import Address
from botmatrix.sdk.app import App
from botmatrix.sdk.ask import CANCEL, LONGEST, Answer, AskCancelled, Finished, NoAnswer, TooManyTries
from botmatrix.sdk.outbox import Outbox
from botmatrix.sdk.perm import Permission, allows
from botmatrix.sdk.said import Said
from botmatrix.sdk.services import Services, Worker
from botmatrix.sdk.session import Session
from botmatrix.sdk.store import Store
from botmatrix.sdk.voice import answer, array, encode, is_granted, native, refusal, target, text
from botmatrix.skills.model import SkillAsk

if TYPE_CHECKING:
    import httpx
    from sqlalchemy.ext.asyncio import AsyncSession

T = TypeVar("T")
_ID_NAMES = ("user_id", "group_id", "message_id")


class _Buffered:
    """What `reply` gives when there is nothing to wait for."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, None]:
        yield from ()


_BUFFERED = _Buffered()


class Context:
    """Ids are strings. `event` is the bot's own event, as it came; look, don't change.

    `reply` and `send` are buffered: they leave together with the acknowledgement of the event, at most once,
    and not at all when the handler fails. `call`, `flush` and `now=True` write first what is buffered, at once.
    When a handler runs again (it failed, or its worker died), what was written is not repeated and calls
    give the first answer.
    """

    __slots__ = (
        "_app", "_envelope", "_free", "_message", "_rest", "_said", "_services", "event", "outbox", "worker",
    )  # fmt: skip

    def __init__(
        self,
        envelope: Envelope,
        event: dict[str, Any],
        app: App,
        outbox: Outbox,
        services: Services,
        worker: Worker,
        said: Said | None = None,
        rest: str = "",
        *,
        free: bool = False,
    ) -> None:
        self.event = event
        self.outbox = outbox
        self.worker = worker
        self._envelope = envelope
        self._app = app
        self._services = services
        self._said = said
        self._rest = rest
        self._free = free
        self._message: Message | None = None

    # -- what happened ------------------------------------------------------------------------------------

    @property
    def bot(self) -> str:
        """The bot it happened to: `platform:self_id`."""
        return self._envelope.bot

    @property
    def platform(self) -> str:
        """Such as `qq`."""
        return self._envelope.bot.partition(":")[0]

    @property
    def self_id(self) -> str:
        """The bot's own id."""
        return self._envelope.bot.partition(":")[2]

    @property
    def user_id(self) -> str:
        """Who caused it; empty when nobody did."""
        return text(self.event.get("user_id"))

    @property
    def group_id(self) -> str:
        """In which group; empty when in none."""
        return text(self.event.get("group_id") or None)

    @property
    def message_id(self) -> str:
        """Id of the message; empty when there is none."""
        return text(self.event.get("message_id"))

    @property
    def conversation(self) -> str:
        """Key of the conversation among all bots: `platform:self_id|group:456`, or `...|private:123`."""
        return self._envelope.conversation

    @property
    def trace_id(self) -> str:
        """The event's id in BotMatrix, to find it by."""
        return self._envelope.id

    @property
    def received_at(self) -> float:
        """When the hub received it, unix seconds."""
        return self._envelope.t / 1000

    @property
    def message(self) -> Message:
        """The whole message; empty for other events."""
        if self._message is None:
            self._message = Message.parse(self.event.get("message"))
        return self._message

    @property
    def text(self) -> str:
        """The message's plain text, stripped, without an `@` of the bot at its head."""
        return self._said.text if self._said else ""

    @property
    def args(self) -> Message:
        """What follows the word of a command, segments and all; empty for other handlers."""
        return Message.beginning(self._rest, self._said.tail if self._said else ())

    @property
    def to_me(self) -> bool:
        """Whether the bot is meant: in private, by an `@`, or by a quote of its words."""
        return self._said is not None and self._said.to_me

    def may(self, permission: Permission) -> bool:
        """Whether the person who caused this has a permission."""
        chat_admin = f"{self.platform}:{self.user_id}" in self._services.settings.chat_admins
        return allows(permission, self.event, chat_admin=chat_admin)

    @property
    def config(self) -> Any:
        """The plugin's settings: its pydantic model, filled."""
        return self._app.config

    @property
    def store(self) -> Store:
        """What the plugin keeps for good."""
        return self._app.store

    @property
    def log(self) -> logging.Logger:
        """The plugin's log."""
        return self._app.log

    @property
    def session(self) -> Session:
        """What is kept in mind about the person, wherever they speak; `session.conversation`: about this place.

        Raises `ValueError` for an event that nobody caused.
        """
        if not self.user_id:
            raise ValueError("nobody caused this event: it has no session of a person")
        box = self._services.sessions
        return Session(box, Names.person(box.keys, self.platform, self.user_id), self._envelope)

    # -- what to do about it ------------------------------------------------------------------------------

    @overload
    def reply(self, message: Sendable, *, now: Literal[False] = False) -> Awaitable[None]: ...
    @overload
    def reply(self, message: Sendable, *, now: Literal[True]) -> Awaitable[str]: ...
    def reply(self, message: Sendable, *, now: bool = False) -> Awaitable[None] | Awaitable[str]:
        """Say something where the event happened. With `now`: at once, and the message's id is given.

        Raises `ValueError` for an empty message; with `now` what `call` raises.
        """
        return self._say(self._envelope.bot, self._here(), message, now)

    @overload
    def send(self, address: str | None, message: Sendable, *, now: Literal[False] = False) -> Awaitable[None]: ...
    @overload
    def send(self, address: str | None, message: Sendable, *, now: Literal[True]) -> Awaitable[str]: ...
    def send(self, address: str | None, message: Sendable, *, now: bool = False) -> Awaitable[None] | Awaitable[str]:
        """Say something elsewhere: `qq:group:456`, `qq@10001:private:123`; None is here.

        Without `@bot` the event's own bot speaks, if it is there; else one that is. Raises `ValueError` for an address
        that is none, `ActionFailed` when the plugin may not; else as `reply`.
        """
        if address is None:
            return self._say(self._envelope.bot, self._here(), message, now)
        there = Address.parse(address)
        if not self._is_here(there):
            self._check("send_msg")
        where = target(there, numeric=self._numeric if there.platform == self.platform else True)
        return self._say(f"{there.platform}:{there.bot}" if there.bot else "", where, message, now, there)

    async def call(self, action: str, **params: Any) -> Any:
        """Have the bot do any OneBot action; gives the answer's `data`.

        Ids may be given as the strings they are here. Raises `ActionFailed` when the plugin may not, the bot
        refused, or it was not sent in time; `ActionUnknown` when no answer came: it may have happened.
        """
        self._check(action)
        for name in _ID_NAMES:
            if isinstance(params.get(name), str):
                params[name] = native(params[name], numeric=self._numeric)
        return await self._call(self._entry(self._envelope.bot, action, params))

    async def call_skill(self, skill: str, /, *, timeout: float = 60.0, **params: Any) -> str:
        """Have a skill executed by some worker that has it, and give its result: text, or JSON for anything else.

        Called again for the same event it gives the first result. Raises `SkillFailed` when it failed, or when nobody
        executed it in `timeout` seconds; `EngineUnavailable`.
        """
        await self.flush()
        deadline = self._services.clock.now() + timeout
        ask = SkillAsk(self.outbox.mark(), skill, params, deadline, f"plugin {self._app.id}")
        return await self._services.call_skill(ask, self.trace_id)

    async def run(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call a function in another process: for what takes seconds of CPU. Gives what it gives.

        Function, arguments and result are pickled; it sees nothing of this process. It is killed with the handler, at
        its time limit. Raises what the function raises, and `RunCrashed` when its process died.
        """
        return await self._app.run(function, *args, **kwargs)

    def db(self) -> AbstractAsyncContextManager[AsyncSession]:
        """`async with ctx.db() as session`: a transaction in the plugin's own schema (`App.db`)."""
        return self._app.db()

    @property
    def http(self) -> httpx.AsyncClient:
        """A client for the web, the plugin's own: connections are kept, and closed with the plugin."""
        return self._app.http

    async def flush(self) -> None:
        """Send at once what was said so far."""
        await self.outbox.flush()

    def finish(self, message: Sendable = "") -> NoReturn:
        """Say something, or nothing more, and end the handler here, however deep in it."""
        if message:
            self.reply(message)
        raise Finished

    async def ask(
        self,
        prompt: Sendable,
        *,
        timeout: float = 60.0,
        check: Callable[[str], Any] | None = None,
        tries: int = 3,
        cancel: Iterable[str] = CANCEL,
    ) -> Answer:
        """Say something and wait for the person's next message here, for `timeout` seconds.

        `check` makes a value of its text, or raises `ValueError` (`BadAnswer` with words for the person): then it is
        asked again, `tries` times in all. Raises `NoAnswer`, `AskCancelled`, `TooManyTries`, `TooManyQuestions`, all
        of them `AskEnded`: a handler that lets them through ends, and the person is told.

        Should the worker die meanwhile, the handler runs again from its start, wherever, and gets the same answers.
        """
        if self._free:
            raise ValueError(
                'a handler that asks must be concurrency="serial": the answer could not be told from others'
            )
        if not 0 < timeout <= LONGEST:
            raise ValueError(f"a question waits for 1 to {LONGEST:.0f} seconds")
        for _ in range(tries):
            answer = await self._asked(prompt, timeout)
            if answer.is_one_of(cancel):
                raise AskCancelled
            complaint = answer.complaint(check) if check else ""
            if not complaint:
                return answer
            prompt = complaint
        raise TooManyTries

    # -- how ----------------------------------------------------------------------------------------------

    def _say(
        self, bot: str, params: dict[str, Any], message: Sendable, now: bool, there: Address | None = None
    ) -> Awaitable[None] | Awaitable[str]:
        params["message"] = segments = array(message)
        if type(message) is not str:
            self.outbox.unready += self._services.offload(segments)
        entry = self._entry(bot, "send_msg", params)
        if not bot and there is not None:
            self.outbox.unready.append(partial(self._place, entry, there))
        if now:
            return self._message_id(entry)
        self.outbox.buffered.append(entry)
        return _BUFFERED

    async def _place(self, entry: ActionEntry, there: Address) -> None:
        entry.bot = await self._services.speaker(there, self._envelope.bot)

    def _check(self, action: str) -> None:
        """Raises `ActionFailed` when the plugin may not have a bot do this."""
        if not is_granted(action, self._app.grants):
            self._app.refused[action] += 1
            raise refusal(action)

    def _is_here(self, there: Address) -> bool:
        here = ("group", self.group_id) if self.group_id else ("private", self.user_id)
        return there.platform == self.platform and there.bot in ("", self.self_id) and (there.kind, there.id) == here

    def _here(self) -> dict[str, Any]:
        """The event's conversation, with ids in the type in which they came."""
        event = self.event
        if group := event.get("group_id"):
            return {"message_type": "group", "group_id": group}
        if (user := event.get("user_id")) is None:
            raise ValueError("this event happened in no conversation: use send() with an address")
        return {"message_type": "private", "user_id": user}

    @property
    def _numeric(self) -> bool:
        return isinstance(self.event.get("self_id"), int)

    def _entry(self, bot: str, action: str, params: dict[str, Any]) -> ActionEntry:
        return self.outbox.entry(bot, action, encode(params))

    async def _asked(self, prompt: Sendable, timeout: float) -> Answer:
        question = await self._services.asking(self.trace_id, self.outbox.mark())
        self.reply(prompt)
        await self.outbox.flush()
        found = await question.answer(timeout)
        if found is None:
            raise NoAnswer
        answer = Answer(*found)
        if (memory := self._services.sessions.memory).wanted:
            memory.note(*found, answer.text)
        return answer

    async def _message_id(self, entry: ActionEntry) -> str:
        data = await self._call(entry)
        return text(data.get("message_id")) if isinstance(data, dict) else ""

    async def _call(self, entry: ActionEntry) -> Any:
        await self.outbox.flush()
        return answer(await self._services.call(self.outbox.expiring(entry)), entry.action)

"""`Context`: one event, as one handler sees it, and what the handler can do about it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Generator, Iterable
from typing import Any, Literal, NoReturn, overload

import msgspec

from botmatrix.bus.envelope import Envelope
from botmatrix.bus.sessions import Names
from botmatrix.errors import ActionFailed, ActionUnknown
from botmatrix.onebot.message import Message, Sendable
from botmatrix.sdk.address import Address
from botmatrix.sdk.app import App
from botmatrix.sdk.ask import CANCEL, LONGEST, Answer, AskCancelled, Finished, NoAnswer, TooManyTries
from botmatrix.sdk.outbox import Outbox
from botmatrix.sdk.perm import Permission, allows
from botmatrix.sdk.said import Said
from botmatrix.sdk.services import ActionResult, Services, Worker
from botmatrix.sdk.session import Session
from botmatrix.sdk.store import Store

_encode = msgspec.json.Encoder(enc_hook=str).encode
_ID_NAMES = ("user_id", "group_id", "message_id")
_NOT_SENT = {
    "EXPIRED": (1400, "not sent in time"),
    "OFFLINE": (1400, "the bot is offline"),
    "NOBOT": (1404, "there is no such bot"),
}


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
        "_app", "_envelope", "_message", "_rest", "_said", "_services", "event", "outbox", "worker",
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
    ) -> None:
        self.event = event
        self.outbox = outbox
        self.worker = worker
        self._envelope = envelope
        self._app = app
        self._services = services
        self._said = said
        self._rest = rest
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
        return _text(self.event.get("user_id"))

    @property
    def group_id(self) -> str:
        """In which group; empty when in none."""
        return _text(self.event.get("group_id") or None)

    @property
    def message_id(self) -> str:
        """Id of the message; empty when there is none."""
        return _text(self.event.get("message_id"))

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

        Without `@bot` the event's own bot speaks. Raises `ValueError` for an address that is none, or that is
        on another platform and names no bot; else as `reply`.
        """
        if address is None:
            return self._say(self._envelope.bot, self._here(), message, now)
        there = Address.parse(address)
        return self._say(self._speaker(there), self._target(there), message, now)

    async def call(self, action: str, **params: Any) -> Any:
        """Have the bot do any OneBot action; gives the answer's `data`.

        Ids may be given as the strings they are here. Raises `ActionFailed` when the bot refused, or it was not
        sent in time; `ActionUnknown` when no answer came: it may have happened.
        """
        for name in _ID_NAMES:
            if isinstance(params.get(name), str):
                params[name] = self._native(params[name])
        return await self._call(self._entry(self._envelope.bot, action, params))

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

    def _say(self, bot: str, params: dict[str, Any], message: Sendable, now: bool) -> Awaitable[None] | Awaitable[str]:
        params["message"] = _array(message)
        entry = self._entry(bot, "send_msg", params)
        if now:
            return self._message_id(entry)
        self.outbox.buffered.append(entry)
        return _BUFFERED

    def _here(self) -> dict[str, Any]:
        """The event's conversation, with ids in the type in which they came."""
        event = self.event
        if group := event.get("group_id"):
            return {"message_type": "group", "group_id": group}
        if (user := event.get("user_id")) is None:
            raise ValueError("this event happened in no conversation: use send() with an address")
        return {"message_type": "private", "user_id": user}

    def _target(self, there: Address) -> dict[str, Any]:
        name = "group_id" if there.kind == "group" else "user_id"
        return {"message_type": there.kind, name: self._native(there.id)}

    def _speaker(self, there: Address) -> str:
        if there.bot:
            return f"{there.platform}:{there.bot}"
        if there.platform != self.platform:
            raise ValueError(f"name the bot that shall speak: {there.platform}@BOT:{there.kind}:{there.id}")
        return self._envelope.bot

    def _native(self, id: str) -> int | str:
        """An id as this bot writes ids: a number, unless the bot itself sends strings."""
        numeric = isinstance(self.event.get("self_id"), int)
        return int(id) if numeric and id.isascii() and id.removeprefix("-").isdecimal() else id

    def _entry(self, bot: str, action: str, params: dict[str, Any]) -> Any:
        return self.outbox.entry(bot, action, _encode(params))

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

    async def _message_id(self, entry: Any) -> str:
        data = await self._call(entry)
        return _text(data.get("message_id")) if isinstance(data, dict) else ""

    async def _call(self, entry: Any) -> Any:
        await self.outbox.flush()
        result = await self._services.call(self.outbox.expiring(entry))
        return answer(result, entry.action)


def answer(result: ActionResult, action: str) -> Any:
    """The `data` of an action that succeeded. Raises `ActionFailed`, `ActionUnknown`."""
    if result.state == "DONE":
        return msgspec.json.decode(result.data) if result.data else None
    if result.state == "FAILED":
        raise ActionFailed(result.retcode, result.message, action)
    if result.state in _NOT_SENT:
        retcode, why = _NOT_SENT[result.state]
        raise ActionFailed(retcode, result.message or why, action)
    raise ActionUnknown(action, result.message)


def _array(message: Sendable) -> list[dict[str, Any]]:
    """Always an array: a string could be read as CQ codes by the bot."""
    if not message:
        raise ValueError("an empty message can't be sent")
    if type(message) is str:
        return [{"type": "text", "data": {"text": message}}]
    return (message if type(message) is Message else Message(message)).to_array()


def _text(value: object) -> str:
    return "" if value is None else str(value)

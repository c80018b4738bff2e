"""`Plugin`: what a plugin declares. Nothing happens here until a worker's host loads it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from botmatrix.sdk.arguments import Arguments
from botmatrix.sdk.concurrency import Concurrency
from botmatrix.sdk.handler import Function, Handler, Trigger, first_line
from botmatrix.sdk.perm import Permission
from botmatrix.sdk.rate import Rate

if TYPE_CHECKING:
    from pydantic import BaseModel

    from botmatrix.sdk.cron import Cron
    from botmatrix.sdk.skill import Skill

Serial: TypeAlias = Literal["user", "group"]
Rates: TypeAlias = Rate | Iterable[Rate]
F = TypeVar("F", bound=Function)

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}")
_PERMISSION = re.compile(r"\*|[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*")


class Plugin:
    """One plugin: its identity and its handlers.

    `id`: letters, digits, `_ . -`. `config`: a pydantic model, filled with what the console says: `ctx.config`.
    `permissions`: names of the actions that the plugin wants to call, `"*"` for all; answering where it was spoken
    to needs none. What it did not ask for, or was not granted, is refused. `history`: it reads
    `ctx.session.history()`, which is written only while such a plugin is loaded. `migrations`: SQL that makes
    the tables of `ctx.db`, step by step, or a folder of `*.sql` files. `exclusive`: it holds
    what can't be held twice, such as a port: when it is exchanged, the old version ends before the new one starts, and
    events wait meanwhile.

    Handlers are `async def` (run on the worker's loop, where they must not block) or `def` (run in a thread).
    What a handler returns, text or a message, is its reply.
    """

    def __init__(
        self,
        id: str,
        name: str = "",
        version: str = "0.0.0",
        *,
        config: type[BaseModel] | None = None,
        permissions: Iterable[str] = (),
        description: str = "",
        history: bool = False,
        exclusive: bool = False,
        migrations: Iterable[str] | Path = (),
    ) -> None:
        """Raises `ValueError` for an id or a permission that is none."""
        if not _ID.fullmatch(id):
            raise ValueError(f"{id!r} is no plugin id: use letters, digits, _ . -, at most 64")
        self.id, self.name, self.version = id, name or id, version
        self.config, self.description = config, description
        self.permissions = _permissions(permissions)
        self.history, self.exclusive = history, exclusive
        self.is_isolated = False
        self.migrations = _steps(migrations)
        self.handlers: list[Handler] = []
        self.skills: list[Skill] = []
        self.crons: list[Cron] = []
        self.startup: list[Function] = []
        self.shutdown: list[Function] = []
        self.configured: list[Function] = []

    def command(
        self,
        name: str,
        *,
        aliases: Iterable[str] = (),
        bare: bool = False,
        permission: Permission = Permission.MEMBER,
        priority: int = 10,
        block: bool = True,
        timeout: float = 60.0,
        description: str = "",
        cooldown: Rates = (),
        quota: Rates = (),
        concurrency: str = "serial",
        serial: Serial = "user",
    ) -> Callable[[F], F]:
        """Run when a message begins with a prefix and this word; the handler's parameters are its arguments.

        With `bare`, also when the whole message is the word, without a prefix. Case does not matter. For
        people without the permission the command is not there. `description`: else the docstring's first line.
        `cooldown`: at most so many uses in a time that begins with the first of them; `quota`: in a whole minute, hour
        or day. Whoever is beyond is told so, once. `concurrency`: what becomes of an event while the handler is at work
        on an earlier one of the same person: "serial" (it waits), "parallel", "drop", "debounce(2s)" (only the last one
        in so long). `serial="group"`: in a group it waits for everybody's, as games want it.
        """
        words = (name, *sorted(set(aliases) - {name}))
        for word in words:
            if not word or word.split() != [word]:
                raise ValueError(f"{word!r} is no command: one word, without spaces")

        def declare(function: F) -> F:
            about = description or first_line(function)
            options = {"bare": bare, "permission": permission, "description": about}
            options |= {"cooldown": _rates(cooldown), "quota": _rates(quota), **_order(concurrency, serial)}
            return self._declare(function, Trigger.COMMAND, words, priority, block, timeout, **options)

        return declare

    def on_message(
        self,
        regex: str | re.Pattern[str] | None = None,
        *,
        keywords: Iterable[str] = (),
        permission: Permission = Permission.MEMBER,
        priority: int = 10,
        block: bool = False,
        timeout: float = 60.0,
        cooldown: Rates = (),
        quota: Rates = (),
        concurrency: str = "serial",
        serial: Serial = "user",
    ) -> Callable[[F], F]:
        """Run for messages, or for those in whose text `regex` or one of the `keywords` is found.

        Named groups become arguments; keywords are looked for in any case. Never for what the bot itself said. Beyond
        `cooldown` and `quota` it does not run. `concurrency`, `serial`: as for a command.
        """
        pattern = re.compile(regex) if isinstance(regex, str) else regex
        options: dict[str, Any] = {"regex": pattern, "keywords": _keywords(keywords), "permission": permission}
        options |= {"cooldown": _rates(cooldown), "quota": _rates(quota), **_order(concurrency, serial)}
        return lambda function: self._declare(function, Trigger.MESSAGE, (), priority, block, timeout, **options)

    def on_intent(
        self,
        name: str,
        *,
        keywords: Iterable[str] = (),
        regex: str | re.Pattern[str] | None = None,
        permission: Permission = Permission.MEMBER,
        priority: int = 10,
        block: bool = False,
        timeout: float = 60.0,
    ) -> Callable[[F], F]:
        """Run for messages that want something: those that carry it as `intent_hint`, or say it.

        Said it is with one of the `keywords`, in any case, or with what `regex` finds.
        """
        if not name.strip():
            raise ValueError("an intent needs a name, such as get_weather")
        pattern = re.compile(regex) if isinstance(regex, str) else regex
        options = {"regex": pattern, "keywords": _keywords(keywords), "intent": name, "permission": permission}
        return lambda function: self._declare(function, Trigger.MESSAGE, (), priority, block, timeout, **options)

    def on_notice(
        self, *kinds: str, priority: int = 10, block: bool = False, timeout: float = 60.0
    ) -> Callable[[F], F]:
        """Run for notices of these types (`group_increase`, with sub-type `notify.poke`), or for all."""
        return lambda function: self._declare(function, Trigger.NOTICE, kinds, priority, block, timeout)

    def on_request(
        self, *kinds: str, priority: int = 10, block: bool = False, timeout: float = 60.0
    ) -> Callable[[F], F]:
        """Run for requests of these types (`friend`, `group`, `group.invite`), or for all."""
        return lambda function: self._declare(function, Trigger.REQUEST, kinds, priority, block, timeout)

    def skill(
        self,
        name: str,
        *,
        description: str = "",
        regex: str = "",
        permission: Permission | str = "admin",
        timeout: float = 60.0,
    ) -> Callable[[F], F]:
        """Offer a skill: a function whose parameters have names and types, and whose return value is the result.

        It gets no context. The hub calls it with JSON values; text is turned into the types. A result is text, or
        anything that JSON can say. `description`: else the docstring's first line. `regex` (RE2): what people write
        when they mean it; its named groups are the parameters. `permission`: `public`, `member`, `admin`, `owner`,
        `off`.
        Reported, and executed, only where the skill system is on.
        """

        def declare(function: F) -> F:
            # pydantic costs a tenth of a second: only plugins with skills pay that.
            from botmatrix.sdk.skill import Skill

            options: dict[str, Any] = {"description": description, "regex": regex, "permission": permission}
            self.skills.append(Skill(name, function, **options, timeout=timeout))
            return function

        return declare

    def cron(self, expression: str, *, tz: str = "UTC", timeout: float = 60.0) -> Callable[[F], F]:
        """Run with the plugin's `App` by a time table: minute hour day month weekday. Once in the whole cluster.

        `tz`: whose clock, such as Asia/Shanghai. A run whose worker dies is run again by another one; what it sent is
        not sent again. A time for which no worker was there is made up for only within two minutes.
        """
        from botmatrix.sdk.cron import Cron

        def declare(function: F) -> F:
            if any(cron.name == function.__name__ for cron in self.crons):
                raise ValueError(f"there is a cron function {function.__name__} already: names tell them apart")
            self.crons.append(Cron(function, expression, tz, timeout))
            return function

        return declare

    def on_startup(self, function: F) -> F:
        """Run with the plugin's `App` when it is loaded; when it raises, the plugin is not loaded."""
        self.startup.append(function)
        return function

    def on_settings(self, function: F) -> F:
        """Run with the plugin's `App` when its settings were changed; `app.config` has the new ones already."""
        self.configured.append(function)
        return function

    def on_shutdown(self, function: F) -> F:
        """Run with the plugin's `App` when it is unloaded, last declared first."""
        self.shutdown.append(function)
        return function

    def _declare(
        self,
        function: F,
        trigger: Trigger,
        words: tuple[str, ...],
        priority: int,
        block: bool,
        timeout: float,
        **options: Any,
    ) -> F:
        if timeout <= 0:
            raise ValueError("timeout must be above 0 seconds")
        self.handlers.append(
            Handler(
                name=self._free_name(function.__name__),
                function=function,
                trigger=trigger,
                arguments=Arguments(function),
                words=words,
                priority=priority,
                block=block,
                timeout=timeout,
                is_async=inspect.iscoroutinefunction(function),
                **options,
            )
        )
        return function

    def _free_name(self, name: str) -> str:
        """Names are part of action ids, so two handlers must not share one."""
        taken = sum(handler.name.partition("#")[0] == name for handler in self.handlers)
        return f"{name}#{taken + 1}" if taken else name

    def __repr__(self) -> str:
        return f"Plugin({self.id!r}, version={self.version!r})"


def _steps(migrations: Iterable[str] | Path) -> tuple[str, ...]:
    if isinstance(migrations, Path):
        return tuple(file.read_text("utf-8") for file in sorted(migrations.glob("*.sql")))
    return (migrations,) if isinstance(migrations, str) else tuple(migrations)


def _order(concurrency: str, serial: str) -> dict[str, Any]:
    mode = Concurrency.parse(concurrency)
    if serial not in ("user", "group"):
        raise ValueError(f'serial={serial!r}: expected "user" or "group"')
    if mode.free and serial == "group":
        raise ValueError('serial="group" is for handlers that run one after another')
    return {"concurrency": mode, "serial": serial, "plain": not mode.free and serial == "user"}


def _rates(rates: Rates) -> tuple[Rate, ...]:
    return (rates,) if isinstance(rates, Rate) else tuple(rates)


def _keywords(words: Iterable[str]) -> tuple[str, ...]:
    found = tuple(word.casefold() for word in ([words] if isinstance(words, str) else words))
    if not all(word.strip() for word in found):
        raise ValueError("a keyword can't be empty: it would be found in every message")
    return found


def _permissions(names: Iterable[str]) -> frozenset[str]:
    found = frozenset([names] if isinstance(names, str) else names)
    for name in found:
        if not _PERMISSION.fullmatch(name):
            raise ValueError(f"{name!r} is no permission: write an action such as send_msg, or *")
    return found

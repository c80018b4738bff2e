"""`Plugin`: what a plugin declares. Nothing happens here until a worker's host loads it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from botmatrix.sdk.arguments import Arguments
from botmatrix.sdk.handler import Function, Handler, Trigger, first_line
from botmatrix.sdk.perm import Permission
from botmatrix.sdk.rate import Rate

if TYPE_CHECKING:
    from pydantic import BaseModel

    from botmatrix.sdk.skill import Skill

Rates: TypeAlias = Rate | Iterable[Rate]
F = TypeVar("F", bound=Function)

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}")
_PERMISSION = re.compile(r"\*|[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*")


class Plugin:
    """One plugin: its identity and its handlers.

    `id`: letters, digits, `_ . -`. `config`: a pydantic model, filled with what the console says: `ctx.config`.
    `permissions`: names of the actions that the plugin wants to call, `"*"` for all; answering where it was spoken
    to needs none. They are checked as names and shown; nothing is refused for want of one yet. `history`: it reads
    `ctx.session.history()`, which is written only while such a plugin is loaded. `exclusive`: it holds
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
    ) -> None:
        """Raises `ValueError` for an id or a permission that is none."""
        if not _ID.fullmatch(id):
            raise ValueError(f"{id!r} is no plugin id: use letters, digits, _ . -, at most 64")
        self.id, self.name, self.version = id, name or id, version
        self.config, self.description = config, description
        self.permissions = _permissions(permissions)
        self.history, self.exclusive = history, exclusive
        self.handlers: list[Handler] = []
        self.skills: list[Skill] = []
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
    ) -> Callable[[F], F]:
        """Run when a message begins with a prefix and this word; the handler's parameters are its arguments.

        With `bare`, also when the whole message is the word, without a prefix. Case does not matter. For
        people without the permission the command is not there. `description`: else the docstring's first line.
        `cooldown`: at most so many uses in a time that begins with the first of them; `quota`: in a whole minute, hour
        or day. Whoever is beyond is told so, once.
        """
        words = (name, *sorted(set(aliases) - {name}))
        for word in words:
            if not word or word.split() != [word]:
                raise ValueError(f"{word!r} is no command: one word, without spaces")

        def declare(function: F) -> F:
            about = description or first_line(function)
            options = {"bare": bare, "permission": permission, "description": about}
            options |= {"cooldown": _rates(cooldown), "quota": _rates(quota)}
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
    ) -> Callable[[F], F]:
        """Run for messages, or for those in whose text `regex` or one of the `keywords` is found.

        Named groups become arguments; keywords are looked for in any case. Never for what the bot itself said. Beyond
        `cooldown` and `quota` it does not run.
        """
        pattern = re.compile(regex) if isinstance(regex, str) else regex
        options: dict[str, Any] = {"regex": pattern, "keywords": _keywords(keywords), "permission": permission}
        options |= {"cooldown": _rates(cooldown), "quota": _rates(quota)}
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

    def skill(self, name: str, *, description: str = "", regex: str = "", timeout: float = 60.0) -> Callable[[F], F]:
        """Offer a skill: a function whose parameters have names and types, and whose return value is the result.

        It gets no context. The hub calls it with JSON values; text is turned into the types. A result is text, or
        anything that JSON can say. `description`: else the docstring's first line. `regex`: what people write when they
        mean it. Reported, and executed, only where the skill system is on.
        """

        def declare(function: F) -> F:
            # pydantic costs a tenth of a second: only plugins with skills pay that.
            from botmatrix.sdk.skill import Skill

            self.skills.append(Skill(name, function, description=description, regex=regex, timeout=timeout))
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

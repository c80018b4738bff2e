"""Which handlers take an event. Commands are found by their word, so their number costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

from botmatrix.onebot.message import Message
from botmatrix.sdk.app import App
from botmatrix.sdk.handler import Handler, Trigger
from botmatrix.sdk.perm import Permission, allows
from botmatrix.sdk.said import Said
from botmatrix.worker.plugins.blocked import PluginBlocked
from botmatrix.worker.plugins.life import Life

_rank = attrgetter("rank")
MOST_STALLS = 3
"""How often a handler's regex may block the worker; after that it hears no more until it is loaded anew."""


class Bound:
    """A handler of a loaded plugin, in its place: by priority, then plugin, then declaration."""

    __slots__ = ("app", "handler", "life", "name", "rank", "stalls")

    def __init__(self, app: App, handler: Handler, order: tuple[int, int], life: Life) -> None:
        self.app = app
        self.handler = handler
        self.life = life
        self.name = f"{app.id}.{handler.name}"
        self.rank = (handler.priority, *order)
        self.stalls = 0


class Match:
    """A handler that takes the event. `rest`: text after a command's word; `groups`: what its regex found.

    `stalled`: whether it takes it nobody knows, for its regex blocked the worker.
    """

    __slots__ = ("bound", "groups", "rank", "rest", "said", "stalled")

    def __init__(
        self,
        bound: Bound,
        said: Said | None = None,
        rest: str = "",
        groups: Mapping[str, str | None] | None = None,
        *,
        stalled: bool = False,
    ) -> None:
        self.bound = bound
        self.rank = bound.rank
        self.said = said
        self.rest = rest
        self.groups = groups
        self.stalled = stalled

    @property
    def args(self) -> Message:
        """What follows the word of a command."""
        return Message.beginning(self.rest, self.said.tail if self.said else ())


class Table:
    """The handlers of all loaded plugins."""

    def __init__(self) -> None:
        self._commands: dict[str, list[Bound]] = {}
        self._bare: dict[str, list[Bound]] = {}
        self._messages: list[Bound] = []
        self._others: dict[str, list[Bound]] = {}
        self.free = 0
        """How many handlers need not wait for an earlier event of the same person."""
        self.aside: Table | None = None
        """Handlers that hear nothing, of plugins in quarantine: to say of an event who would have taken it."""

    def add(self, bound: Bound) -> Callable[[], None]:
        """Put a handler in its place. The result takes it out again."""
        lists = list(self._lists(bound.handler))
        self.free += bound.handler.concurrency.free
        for found in lists:
            found.append(bound)
            found.sort(key=_rank)
        return lambda: self._remove(bound, lists)

    def put_aside(self, bound: Bound) -> Callable[[], None]:
        """Keep a handler that hears nothing. The result forgets it."""
        self.aside = self.aside or Table()
        return self.aside.add(bound)

    def bound(self) -> set[Bound]:
        """Every handler there is."""
        lists = [*self._commands.values(), *self._bare.values(), self._messages, *self._others.values()]
        return {bound for found in lists for bound in found}

    def knows(self, text: str) -> bool:
        """Whether a text begins with the word of a command."""
        word = text.split(None, 1)
        return bool(word) and word[0].casefold() in self._commands

    def message(
        self,
        said: Said,
        event: Mapping[str, Any],
        prefixes: Sequence[str],
        chat_admin: Callable[[], bool],
        barred: Container[str] = (),
    ) -> list[Match]:
        """The handlers that take a message, in order, up to the first that blocks; none of the plugins in `barred`."""
        matches = self._command(said, prefixes)
        for bound in self._messages:
            if bound.stalls == MOST_STALLS:
                continue
            try:
                groups = bound.handler.heard(said.text, event)
            except PluginBlocked:
                bound.stalls += 1
                matches.append(Match(bound, said, stalled=True))
                continue
            if groups is not None:
                matches.append(Match(bound, said, "", groups))
        if barred:
            matches = [match for match in matches if match.bound.app.id not in barred]
        if not matches or (len(matches) == 1 and matches[0].bound.handler.permission is Permission.MEMBER):
            return matches
        matches.sort(key=_rank)
        return list(_permitted(matches, event, chat_admin))

    def other(self, post_type: str, event: Mapping[str, Any], barred: Container[str] = ()) -> list[Match]:
        """The handlers that take a notice or a request, in order, up to the first that blocks."""
        kind = event.get(f"{post_type}_type")
        kinds = {kind, f"{kind}.{event.get('sub_type')}"}
        matches = []
        for bound in self._others.get(post_type, ()):
            if bound.app.id in barred:
                continue
            if not bound.handler.words or not kinds.isdisjoint(bound.handler.words):
                matches.append(Match(bound))
                if bound.handler.block:
                    break
        return matches

    def _command(self, said: Said, prefixes: Sequence[str]) -> list[Match]:
        head = said.head
        for prefix in prefixes:
            if head.startswith(prefix):
                matches = self._word(said, head[len(prefix) :])
                if matches:
                    return matches
        if said.addressed and (matches := self._word(said, head.lstrip())):
            return matches
        if self._bare and not said.tail:
            return [Match(bound, said) for bound in self._bare.get(said.text.casefold(), ())]
        return []

    def _word(self, said: Said, text: str) -> list[Match]:
        if not text or text[0].isspace():
            return []
        word, *rest = text.split(None, 1)
        found = self._commands.get(word.casefold(), ())
        return [Match(bound, said, rest[0] if rest else "") for bound in found]

    def _lists(self, handler: Handler) -> Iterator[list[Bound]]:
        if handler.trigger is Trigger.MESSAGE:
            yield self._messages
        elif handler.trigger is not Trigger.COMMAND:
            yield self._others.setdefault(handler.trigger.value, [])
        else:
            for word in {word.casefold() for word in handler.words}:
                yield self._commands.setdefault(word, [])
                if handler.bare:
                    yield self._bare.setdefault(word, [])

    def _remove(self, bound: Bound, lists: list[list[Bound]]) -> None:
        self.free -= bound.handler.concurrency.free
        for found in lists:
            found.remove(bound)
        for words in (self._commands, self._bare, self._others):
            for word in [word for word, found in words.items() if not found]:
                del words[word]


def _permitted(matches: list[Match], event: Mapping[str, Any], chat_admin: Callable[[], bool]) -> Iterator[Match]:
    for match in matches:
        handler = match.bound.handler
        needed = handler.permission
        if needed is Permission.MEMBER or allows(needed, event, chat_admin=chat_admin()):
            yield match
            if handler.block:
                return

"""What happened, as seen from outside: every event said, every reply received, every start of a handler.

The bots write into an `Oracle`. Handlers write lines into one file (`handled.log`), opened for appending by every
worker: a line is whole, its place is its order, and it survives `kill -9` of its writer and of the engine.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path

Style = Callable[[int], str]
"""Gives the kind of handling that an event asks for by its number: see plugins/chaos_plugin.py."""

DOOMED = ("raise", "poison")
"""Kinds of handling after which an event must be a dead letter."""


class Fate(Enum):
    """What a bot knows of an event it has said."""

    WAITING = "waiting"  # its link lives, or was closed in order: it was read, a reply is owed
    CUT = "cut"  # its link broke before the reply: perhaps it was never read
    ANSWERED = "answered"


@dataclass(slots=True)
class Said:
    """One event. `number` is unique in the run and grows within its conversation."""

    number: int
    bot: int
    conversation: str
    style: str
    at: float
    fate: Fate = Fate.WAITING
    answered_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Reply:
    """One send action that reached a bot, in the order of arrival. `run` names the handler's start that sent it."""

    number: int
    bot: int
    conversation: str
    run: str


@dataclass(frozen=True, slots=True)
class Start:
    """One start of a handler, in the order of starts. `run` is `incarnation:count`."""

    number: int
    conversation: str
    run: str


@dataclass(slots=True)
class Oracle:
    """The log of one phase. Numbers begin at 1."""

    said: dict[int, Said] = field(default_factory=dict)
    replies: list[Reply] = field(default_factory=list)
    cuts: int = 0  # links that broke without a Close
    closes: int = 0  # links that were closed in order
    in_the_air: int = 0  # how many events were unanswered when their link broke
    doomed: set[int] = field(default_factory=set)  # their handlers fail: they must become dead letters
    barred: set[int] = field(default_factory=set)  # their senders are blocked: nobody may see them
    late: set[int] = field(default_factory=set)  # answered when the bot could not say any more that it did it
    taken: set[int] = field(default_factory=set)  # another hand settled them: they must not be answered any more

    def say(self, bot: int, conversation: str, style: Style = lambda _: "") -> Said:
        """A bot is about to send its next event: gives it its number and style."""
        number = len(self.said) + 1
        said = self.said[number] = Said(number, bot, conversation, style(number), time.monotonic())
        if said.style.startswith(DOOMED):
            self.doomed.add(number)
        return said

    def hear(self, reply: Reply) -> None:
        """A reply arrived."""
        self.replies.append(reply)
        said = self.said.get(reply.number)
        if said is not None and said.fate is not Fate.ANSWERED:
            said.fate, said.answered_at = Fate.ANSWERED, time.monotonic()

    def cut(self, numbers: set[int]) -> None:
        """A link broke with these unanswered."""
        self.cuts += 1
        self.in_the_air += len(numbers)
        for number in numbers:
            if self.said[number].fate is Fate.WAITING:
                self.said[number].fate = Fate.CUT

    def waiting(self) -> int:
        """How many replies are owed for certain."""
        excused = self.doomed | self.taken | self.barred
        return sum(said.fate is Fate.WAITING and said.number not in excused for said in self.said.values())

    def fates(self) -> Counter[Fate]:
        return Counter(said.fate for said in self.said.values())

    def write(self, path: Path) -> None:
        """Keep it for whoever has to find out what went wrong: one JSON object a line."""
        with path.open("w", encoding="utf-8") as file:
            for said in self.said.values():
                file.write(json.dumps({**asdict(said), "fate": said.fate.value}) + "\n")
            for reply in self.replies:
                file.write(json.dumps({"reply": reply.number, "bot": reply.bot, "run": reply.run}) + "\n")


def read_starts(path: Path) -> list[Start]:
    """The handlers' log. A line cut short by a kill is no start."""
    if not path.exists():
        return []
    starts = []
    for line in path.read_text("utf-8").splitlines():
        parts = line.split(" ")
        if len(parts) == 3:
            starts.append(Start(int(parts[0]), parts[1], parts[2]))
    return starts

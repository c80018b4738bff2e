"""`ctx.ask`: a question to the person, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from botmatrix.bus.envelope import Envelope
from botmatrix.onebot.message import Message
from botmatrix.sdk.said import hear

LONGEST: Final = 3600.0
"""Seconds that a question may wait: its conversation stays on one worker meanwhile."""
CANCEL: Final = ("取消", "算了", "退出", "cancel", "quit")
"""What ends a question, unless it says otherwise."""


class AskEnded(Exception):
    """A question got no answer. A handler that lets it through ends, and the person is told `said`."""

    said = ""


class Finished(Exception):
    """A handler is done: `ctx.finish` raises it."""


class NoAnswer(AskEnded):
    """None came in time."""

    said = "没有等到回答，已取消 · No answer came, cancelled"


class AskCancelled(AskEnded):
    """The person said a cancel word."""

    said = "已取消 · Cancelled"


class TooManyTries(AskEnded):
    """No answer was good enough."""

    said = "已取消 · Cancelled"


class TooManyQuestions(AskEnded):
    """So many handlers wait for answers that this one may not."""

    said = "现在太忙，请稍后再试 · Too busy now, try again later"


class BadAnswer(ValueError):
    """Raise it in a `check`: its words are said to the person, who may try again."""


class Answer:
    """What the person answered. `value`: what `check` made of it, else the text."""

    __slots__ = ("event", "message", "message_id", "text", "value")

    def __init__(self, envelope: Envelope, event: dict[str, Any]) -> None:
        self.event = event
        self.message = Message.parse(event.get("message"))
        self.message_id = str(event.get("message_id", ""))
        self.text = hear(event, envelope.bot.partition(":")[2]).text
        self.value: Any = self.text

    def is_one_of(self, words: Iterable[str]) -> bool:
        """Whether its text is one of these words, in any case."""
        return self.text.casefold() in {word.casefold() for word in words}

    def complaint(self, check: Callable[[str], Any]) -> str:
        """Fill `value`; what to say when the answer won't do, else empty."""
        try:
            self.value = check(self.text)
        except BadAnswer as error:
            return str(error)
        except ValueError:
            return f"“{self.text[:50]}” 不合适，请再试一次 · “{self.text[:50]}” won't do, try again"
        return ""

"""What was said to whom: the part of a message that handlers look at.

A quote and an `@` of the bot at the head are taken off: they say that the bot is meant, and stand for a
prefix.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botmatrix.onebot import cq
from botmatrix.onebot.message import At, Message, Reply, Segment, Text


class Said:
    """One message. `text`: its plain text, stripped. `head`: the text it begins with; `tail`: what follows.

    `addressed`: it quotes or `@`s the bot at its head. `to_me`: it does so anywhere, or is private. `quoted`:
    id of the message it quotes, or empty.
    """

    __slots__ = ("addressed", "head", "quoted", "tail", "text", "to_me")

    def __init__(self, head: str, to_me: bool) -> None:
        self.head = head.lstrip()
        self.text = head.strip()
        self.tail: Sequence[Segment] = ()
        self.to_me = to_me
        self.addressed = False
        self.quoted = ""


def hear(event: Mapping[str, Any], self_id: str) -> Said:
    """Look at the message of an event. Most are one plain text, and cost accordingly."""
    message = event.get("message")
    private = event.get("message_type") == "private"
    if type(message) is str and "[CQ:" not in message:
        return Said(cq.unescape(message), private)
    if type(message) is list and len(message) == 1:
        text = _only_text(message[0])
        if text is not None:
            return Said(text, private)
    return _hear(Message.parse(message), private, self_id)


def _only_text(segment: object) -> str | None:
    if type(segment) is dict and segment.get("type") == "text":
        data = segment.get("data")
        text = data.get("text") if type(data) is dict else None
        return text if type(text) is str else None
    return None


def _hear(message: Message, private: bool, self_id: str) -> Said:
    body, addressed, quoted = _behead(message, self_id)
    head = body[0].text if body and isinstance(body[0], Text) else ""
    said = Said(head, private or addressed or any(_is_at(segment, self_id) for segment in body))
    said.text = body.text.strip()
    said.tail = tuple(body[1:] if body and isinstance(body[0], Text) else body)
    said.addressed, said.quoted = addressed, quoted
    return said


def _behead(message: Message, self_id: str) -> tuple[Message, bool, str]:
    """The message without quotes and `@`s of the bot at its head; whether it is addressed; what it quotes."""
    addressed, quoted = False, ""
    for index, segment in enumerate(message):
        if isinstance(segment, Reply):
            quoted = segment.id
            addressed = addressed or segment.author == self_id
        elif _is_at(segment, self_id):
            addressed = True
        elif not (isinstance(segment, Text) and not segment.text.strip()):
            return message[index:], addressed, quoted
    return Message(), addressed, quoted


def _is_at(segment: Segment, self_id: str) -> bool:
    return isinstance(segment, At) and segment.user_id == self_id

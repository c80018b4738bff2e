"""What the parts of the matrix report about one event: small records that are joined by its id.

Each is one JSON object; `part` says which of these it is. Times are ms of unix time. docs/trace.md has them all.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class Heard(msgspec.Struct, tag="heard", tag_field="part", omit_defaults=True, gc=False):
    """A nexus received an event at `t` and decided at `at`.

    With a `reason` it ended there (`detail`: what exactly met it); else it was put on `lane`, by `rule` if one matched.
    `kind`: `message.group`. `copy`: each target of its rule gets one, under an id of its own. `event`: the bot's own
    JSON, while nobody has read it (`trace_reading.py`): what it says stands in the fields from `kind` to `text` then.
    """

    id: str
    t: int
    bot: str
    conv: str
    nexus: str
    at: int
    kind: str = ""
    user: str = ""
    group: str = ""
    message_id: str = ""
    text: str = ""
    lane: str = ""
    rule: str = ""
    reason: str = ""
    detail: str = ""
    copy: bool = False
    event: bytes = b""


class Repeated(msgspec.Struct, tag="repeated", tag_field="part", gc=False):
    """The platform had sent the same event before: it went no further."""

    id: str
    at: int


class Step(NamedTuple):
    """One handler, `plugin.handler`: how long it took (ms) and how it ended: `answered`, `silent`, `retry`, or why
    it failed.
    """

    handler: str
    took: float
    ended: str


class Ran(msgspec.Struct, tag="ran", tag_field="part", omit_defaults=True, gc=False):
    """A worker handled an event. `outcome`: `done`, `retry` or `dead`, the latter two with a `reason`.

    `actions`: how many leave with the acknowledgement. `quiet`: why no handler ran (`own`, `permission`, `plugin_off`,
    `quarantined`, `no_match`, `answer`: it went to a handler that had asked; of a socket worker `silent`,
    `lost_on_close`).
    """

    id: str
    t: int
    worker: str
    lane: str
    started: int
    ended: int
    outcome: str
    reason: str = ""
    quiet: str = ""
    steps: list[Step] = []
    actions: int = 0


class Acted(msgspec.Struct, tag="acted", tag_field="part", omit_defaults=True, gc=False):
    """A nexus brought an action to its bot, or could not. `id`: the event it answers, or empty.

    `sent` is 0 when it never was. `conv` and `text`: for what says something, where and what. `message_id`: the
    platform's own. `params` and `result`: JSON that nobody has read yet, as `event` above.
    """

    id: str
    aid: str
    bot: str
    action: str
    queued: int
    sent: int
    ended: int
    state: str
    code: int = 0
    words: str = ""
    conv: str = ""
    text: str = ""
    message_id: str = ""
    params: bytes = b""
    result: bytes = b""


Part = Heard | Repeated | Ran | Acted

_encode = msgspec.json.Encoder().encode


def encode(part: Part) -> bytes:
    """One part as JSON."""
    return _encode(part)

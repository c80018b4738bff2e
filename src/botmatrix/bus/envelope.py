"""What travels in an entry of a lane, and in an entry of an action stream.

Both are one JSON object in the field `payload` (docs/wire.md). The event itself stays the bytes that the bot
sent: nothing is normalised on the way, so ids keep their types and unknown fields survive.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from botmatrix.errors import BadEnvelope

VERSION = 1
FIELD = b"payload"


class Envelope(msgspec.Struct, gc=False):
    """One accepted event on its way to a worker.

    `id`: event id, made at the gateway; never the stream's entry id. `bot`: `platform:self_id`. `conv`:
    `group:123`, `private:456`, or `bot` for what belongs to neither. `nexus`: incarnation that received it.
    `epoch`: the bot's epoch then. `t`: when it was received, ms of unix time. `event`: the bot's own JSON. `to`: whom
    this copy is for, when several workers get one; unset else. `skill`: its words mean this skill, so it went to a
    worker that has it; unset else.
    """

    id: str
    bot: str
    conv: str
    nexus: str
    epoch: int
    t: Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
    event: msgspec.Raw
    v: int = VERSION
    to: str | msgspec.UnsetType = msgspec.UNSET
    skill: str | msgspec.UnsetType = msgspec.UNSET

    @property
    def conversation(self) -> str:
        """Key of the conversation among all bots."""
        return f"{self.bot}|{self.conv}"


class ActionEntry(msgspec.Struct, gc=False):
    """One action on its way to the nexus that holds the bot.

    `aid`: action id, the same when its handler runs again. `params`: JSON object. `exp`: unix ms after which it is
    not sent any more. `reply_to`: incarnation that waits for the result, or empty. `eid`: the event it answers.
    `paced`: unix ms since when it waited for its turn (`nexus/pacer.py`); 0: it has not.
    """

    bot: str
    aid: str
    action: str
    params: msgspec.Raw
    exp: int
    reply_to: str = ""
    eid: str = ""
    paced: Annotated[int, msgspec.Meta(ge=0, le=1 << 53)] = 0


_encoder = msgspec.json.Encoder()
_envelope = msgspec.json.Decoder(Envelope)
_action = msgspec.json.Decoder(ActionEntry)


def encode(value: Envelope | ActionEntry) -> bytes:
    """The payload of an entry."""
    return _encoder.encode(value)


def decode_envelope(payload: bytes) -> Envelope:
    """Read an entry of a lane. Raises `BadEnvelope` (`undecodable`, `unknown_version`)."""
    try:
        envelope = _envelope.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadEnvelope("undecodable") from error
    if envelope.v != VERSION:
        raise BadEnvelope("unknown_version")
    return envelope


def decode_action(payload: bytes) -> ActionEntry:
    """Read an entry of an action stream. Raises `BadEnvelope` (`undecodable`)."""
    try:
        return _action.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadEnvelope("undecodable") from error

"""Sessions as the process of a Python plugin asks for them: those of the event's person and conversation, no others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec

from botmatrix.bus.sessions import Names, SessionBox, State, StateTooLarge
from botmatrix.sdk.context import Context
from botmatrix.worker.plugins.isolated.broker import Refused
from botmatrix.worker.plugins.isolated.exchange import PluginError

UNAVAILABLE: Final = 1503
"""`retcode` of what can be had once Redis is back."""
ACTIONS: Final = frozenset({"session.read", "session.change", "session.forget", "session.history"})


class Wanted(msgspec.Struct):
    """`of`: the name of a state. To change it: what was `seen`, the new one, and the lives (s) of what is set anew."""

    of: str
    seen: State = {}
    state: State = {}
    lives: dict[str, Annotated[float, msgspec.Meta(gt=0)] | None] = {}


class _Changed(Exception):
    """Somebody else was quicker; holds what is there now."""

    def __init__(self, state: State) -> None:
        self.state = state


async def do(action: str, params: Mapping[str, Any], box: SessionBox, ctx: Context) -> Any:
    """What the action gives. Raises `Refused`, `PluginError`, `EngineUnavailable`.

    `session.change` gives None, or the state that is there when it is not the one that was seen: nothing was changed.
    """
    try:
        wanted = msgspec.convert(params, Wanted)
    except msgspec.ValidationError as error:
        raise Refused(f"{action}: {error}") from None
    names = _names(wanted.of, box, ctx)
    if action == "session.read":
        return await box.read(names)
    if action == "session.forget":
        return await box.delete(names)
    if action == "session.history":
        return await box.history(names)
    return await _change(wanted, names, box)


async def _change(wanted: Wanted, names: Names, box: SessionBox) -> State | None:
    def put(state: State) -> None:
        if state != wanted.seen:
            raise _Changed(dict(state))
        state.clear()
        state.update(wanted.state)

    try:
        await box.change(names, put, wanted.lives)
    except _Changed as changed:
        return changed.state
    except (StateTooLarge, TimeoutError) as error:
        raise PluginError(str(error)) from None
    return None


def _names(of: str, box: SessionBox, ctx: Context) -> Names:
    there = [Names.conversation(box.keys, ctx.conversation)]
    if ctx.user_id:
        there.append(Names.person(box.keys, ctx.platform, ctx.user_id))
    for names in there:
        if names.state == of:
            return names
    raise Refused("a session of somebody or somewhere else")

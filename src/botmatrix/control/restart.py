"""All parts end in order and start again, one after the other: workers, nexuses, control last."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import structlog

from botmatrix.bus.client import ReplyError
from botmatrix.bus.controls import Controls
from botmatrix.bus.presence import Presence
from botmatrix.bus.settings import SettingsBox
from botmatrix.control.fields import flag
from botmatrix.errors import EngineUnavailable

PATIENCE: Final = 60.0
"""Seconds for a part to be back."""
LOOK: Final = 0.25
ANNOUNCE: Final = 10.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Part:
    """One process: its name, and which start of it this is."""

    kind: Literal["worker", "nexus", "control"]
    name: str
    inc: str


class Restart:
    """`on_restart` ends this process; it is called when all others are back, or when another control asks for it."""

    def __init__(self, inc: str, presence: Presence, controls: Controls, box: SettingsBox) -> None:
        self._inc, self._presence, self._controls, self._box = inc, presence, controls, box
        self._parts: list[Part] = []
        self._rolling: asyncio.Task[None] | None = None
        self.on_restart: Callable[[], None] = lambda: None
        self.restarting = False

    async def begin(self) -> list[Part]:
        """The parts in the order in which they start again; a restart that is under way goes on as it is.

        Raises `EngineUnavailable`.
        """
        if self._rolling is None or self._rolling.done():
            parts = [*await self._workers(), *await self._nexuses(), *await self._others()]
            self._parts = [*parts, Part("control", _name(self._inc), self._inc)]
            self._rolling = asyncio.create_task(self._roll(parts), name="restart")
        return self._parts

    async def run(self) -> None:
        """Say that this process is there, and hear when another control asks it to start again."""
        due = 0.0
        while True:
            try:
                if time.monotonic() >= due:
                    await self._controls.announce(self._inc, time.time())
                    due = time.monotonic() + ANNOUNCE
                if (await self._box.glance(self._inc)).restart:
                    self._end()
            except (EngineUnavailable, ReplyError) as error:
                log.debug("control can't be announced", reason=str(error))
            await asyncio.sleep(1.0)

    async def close(self) -> None:
        """Stop waiting for others."""
        if self._rolling is not None:
            self._rolling.cancel()
            await asyncio.gather(self._rolling, return_exceptions=True)

    async def leave(self) -> None:
        """This process ends. Raises `EngineUnavailable`."""
        await self._controls.leave(self._inc)

    async def _roll(self, parts: Sequence[Part]) -> None:
        for part in parts:
            log.info("starts again", what=part.kind, name=part.name)
            try:
                back = await self._restarted(part)
            except (EngineUnavailable, ReplyError) as error:
                log.error("the restart ends here", reason=str(error), at=part.inc)
                return
            if not back and part.kind == "nexus":
                log.error("a nexus did not come back: the restart ends here, so that bots keep a door", nexus=part.name)
                return
            if not back:
                log.warning("did not come back in time", what=part.kind, name=part.name)
        self._end()

    async def _restarted(self, part: Part) -> bool:
        """Ask a part and wait until another start of it is there."""
        await self._box.restart(part.inc)
        looks: dict[str, Callable[[], Awaitable[list[Part]]]] = {
            **{"worker": self._workers, "nexus": self._nexuses, "control": self._others}
        }
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            await asyncio.sleep(LOOK)
            if any(one.name == part.name and one.inc != part.inc for one in await looks[part.kind]()):
                return True
        await self._box.withdraw(part.inc)
        return False

    def _end(self) -> None:
        if not self.restarting:
            self.restarting = True
            self.on_restart()

    async def _workers(self) -> list[Part]:
        # What is behind a socket is a process of somebody else's, and the incarnation that it shows its nexus's.
        found = [one for one in await self._presence.workers() if one.get("transport") == "stream"]
        return [Part("worker", one["id"], one["incarnation"]) for one in found if one.get("incarnation")]

    async def _nexuses(self) -> list[Part]:
        """Those whose gateway is open."""
        found = [one for one in await self._presence.nexuses() if flag(one["alive"]) and "started" in one]
        return [Part("nexus", _name(one["inc"]), one["inc"]) for one in found]

    async def _others(self) -> list[Part]:
        return [Part("control", _name(inc), inc) for inc in await self._controls.living() if inc != self._inc]


def _name(inc: str) -> str:
    """What stays the same from start to start."""
    return inc.rpartition(".")[0]

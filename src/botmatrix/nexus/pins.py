"""Which lane each conversation is on, for as long as any of its events there is unsettled.

A conversation is pinned to a lane by its first event and stays until the lane's oldest entry is younger than the
conversation's last one: only then can a balanced choice not overtake. The map lives in the memory of the bot's nexus.
"""

from __future__ import annotations

from typing import NamedTuple

from botmatrix.bus.keys import is_parking

PATIENCE = 60
"""Rounds for which events are held, waiting for parked ones before them to be moved."""


class LaneState(NamedTuple):
    """A lane as Redis described it: ids of its oldest and newest entry (empty when it has none)."""

    oldest: bytes
    newest: bytes


class Pin:
    """One conversation on one lane, or the part of one that follows a rule (`conv` then ends with the rule's mark).

    `waiting`: events on their way to the lane, `held` of which wait for the lane itself. `last`: id of its newest
    entry there, None when that is not known (then the lane's newest stands for it). `touched`: the round in which it
    last changed.
    """

    __slots__ = ("bot", "conv", "fresh", "held", "lane", "last", "touched", "waiting")

    def __init__(self, bot: str, conv: str, lane: str, round_: int) -> None:
        self.bot, self.conv, self.lane = bot, conv, lane
        self.waiting = self.held = 0
        self.last: bytes | None = b""
        self.touched = round_
        self.fresh = True  # its lane is still to be written to the bot's affinity hash

    @property
    def ruled(self) -> bool:
        """Whether a routing rule says where it belongs."""
        return "\t" in self.conv

    @property
    def target(self) -> str:
        """Where: a worker's id or `pool:NAME`, or several with commas between; "" without a rule."""
        return self.conv.partition("\t")[2]


class Pins:
    """All conversations with unsettled events."""

    def __init__(self) -> None:
        self.round = 0
        self._pins: dict[str, Pin] = {}

    def __len__(self) -> int:
        return len(self._pins)

    def get(self, conversation: str) -> Pin | None:
        """The pin of `bot|conv`, if it has one."""
        return self._pins.get(conversation)

    def pin(self, bot: str, conv: str, lane: str) -> Pin:
        """Put a conversation that has no pin on a lane."""
        pin = self._pins[f"{bot}|{conv}"] = Pin(bot, conv, lane, self.round)
        return pin

    def restore(self, bot: str, conv: str, lane: str) -> None:
        """Another nexus put it there: stay until everything now on that lane is settled."""
        pin = self._pins.get(f"{bot}|{conv}") or self.pin(bot, conv, lane)
        if not pin.waiting:
            pin.lane, pin.last, pin.fresh, pin.touched = lane, None, False, self.round

    def free(self, lane: str, bot: str) -> None:
        """Nobody carries events of this bot (`""`: of any) there any more: its conversations are free."""
        for conversation, pin in list(self._pins.items()):
            if pin.lane == lane and bot in ("", pin.bot):
                del self._pins[conversation]

    def take_back(self, pin: Pin) -> None:
        """Events of a conversation are under way again: it is pinned as it was, unless it has moved on."""
        self._pins.setdefault(f"{pin.bot}|{pin.conv}", pin)

    def begin_round(self) -> int:
        """To be called before asking Redis for the lanes: pins that change from now on are left alone."""
        self.round += 1
        return self.round

    def end_round(self, lanes: dict[str, LaneState]) -> list[Pin]:
        """Free what is settled. Returns pins whose entries left their parking place: their lane must be looked up."""
        moved = []
        for conversation, pin in list(self._pins.items()):
            if self._is_moving(pin) or pin.touched >= self.round:
                continue
            state = lanes.get(pin.lane)
            if state is not None and state.oldest and not self._settled(pin, state):
                continue
            if is_parking(pin.lane):
                moved.append(pin)
            else:
                del self._pins[conversation]
        return moved

    def follow(self, pin: Pin, lane: str) -> None:
        """The parked events of a conversation went to `lane`, and what is held of it goes there too."""
        if self._is_still(pin):
            pin.lane, pin.last, pin.touched = lane, None, self.round

    def has_waited_long(self, pin: Pin) -> bool:
        """Whether nothing became of it for so long that what is held of it is better parked."""
        return self.round - pin.touched > PATIENCE

    def lose_patience(self, pin: Pin) -> None:
        """What is held of it is to be parked at once: nobody knows where its earlier events went."""
        pin.touched = self.round - PATIENCE - 1

    def forget(self, pin: Pin) -> None:
        """The parked events of a conversation are gone, nobody knows where to: it is free."""
        if not pin.waiting:
            self._pins.pop(f"{pin.bot}|{pin.conv}", None)

    def _is_still(self, pin: Pin) -> bool:
        """Whether nothing happened to it since the round began: asking Redis took a while."""
        return not self._is_moving(pin) and pin.touched < self.round

    @staticmethod
    def _is_moving(pin: Pin) -> bool:
        """Whether events of it are on their way; those held back from a parking place are not."""
        return pin.waiting > (pin.held if is_parking(pin.lane) else 0)

    @staticmethod
    def _settled(pin: Pin, state: LaneState) -> bool:
        if pin.last is None:
            pin.last = state.newest
            return False
        return _key(pin.last) < _key(state.oldest)


def _key(entry_id: bytes) -> tuple[int, int]:
    ms, _, number = entry_id.partition(b"-")
    return int(ms or 0), int(number or 0)

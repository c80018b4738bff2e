"""One numbered batch of events, as `lua/ingest.lua` takes it."""

from __future__ import annotations

from typing import NamedTuple

from botmatrix.bus.connection import Argument
from botmatrix.bus.keys import Keys
from botmatrix.nexus.spool import Parcel


class Batch:
    """Parcels under one number. `inc` is whose number it is: a successor sends its predecessor's last batches.

    `lanes` and `args` are made once: a batch is sent again exactly as it was. `size`: bytes of payload.
    """

    __slots__ = ("acked", "args", "inc", "lanes", "parcels", "seq", "size")

    def __init__(self, inc: str, seq: int, acked: int, parcels: list[Parcel]) -> None:
        self.inc, self.seq, self.acked, self.parcels = inc, seq, acked, parcels
        self.lanes: list[str] = []
        self.args: list[Argument] = []
        self.size = sum(len(parcel.payload) for parcel in parcels)

    def pack(self, keys: Keys, mark_ttl_ms: int, high_water: int) -> None:
        """Make the script's arguments: each parcel goes to the lane that its conversation has now."""
        lanes: dict[str, int] = {}
        items: list[Argument] = []
        affinity: list[Argument] = []
        for parcel in self.parcels:
            pin = parcel.pin
            lane = lanes.setdefault(pin.lane, len(lanes) + 1)
            items += (lane, parcel.mark, parcel.payload)
            if pin.fresh:
                pin.fresh = False
                affinity += (keys.affinity(pin.bot), pin.conv, pin.lane)
        self.lanes = list(lanes)
        head: list[Argument] = [self.seq, self.acked, mark_ttl_ms, high_water, keys.stats, len(lanes)]
        self.args = [*head, *map(keys.lane, lanes), len(self.parcels), *items, *affinity]


class Leftover(NamedTuple):
    """What was not confirmed when a nexus had to end, in the order in which it is to be sent.

    `batches` were under way; `returned` goes before what comes back of them.
    """

    batches: list[Batch]
    returned: list[Parcel]
    parcels: list[Parcel]

    @property
    def events(self) -> int:
        """How many."""
        return sum(len(batch.parcels) for batch in self.batches) + len(self.returned) + len(self.parcels)

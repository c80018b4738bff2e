"""What a nexus could not deliver before it had to end (Redis was away), kept for its next start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import structlog

from botmatrix.bus.keys import is_parking
from botmatrix.nexus.batch import Batch, Leftover
from botmatrix.nexus.pins import Pin, Pins
from botmatrix.nexus.spool import Parcel, load, save

log = structlog.get_logger("handover")
SUFFIX = ".saved"


def leave(folder: Path, inc: str, unconfirmed: Leftover) -> None:
    """Save what is unconfirmed. Raises `OSError`."""
    content = {
        "batches": [
            {
                **{"inc": batch.inc, "seq": batch.seq, "acked": batch.acked},
                **{"lanes": batch.lanes, "args": batch.args, "parcels": [_plain(p) for p in batch.parcels]},
            }
            for batch in unconfirmed.batches
        ],
        "returned": [_plain(parcel) for parcel in unconfirmed.returned],
        "parcels": [_plain(parcel) for parcel in unconfirmed.parcels],
    }
    save(folder / f"{inc}{SUFFIX}", content)
    log.warning("events that Redis did not take are kept for the next start", events=unconfirmed.events)


def take(folder: Path, nexus_id: str, pins: Pins) -> Leftover:
    """Read what earlier starts of this nexus left. The files stay until it is delivered, or left again."""
    unconfirmed = Leftover([], [], [])
    for path in left(folder, nexus_id):
        try:
            content = load(path)
            batches = [_batch(fields, pins) for fields in content["batches"]]
            returned = [_parcel(fields, pins) for fields in content["returned"]]
            parcels = [_parcel(fields, pins) for fields in content["parcels"]]
        except (OSError, msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
            log.error("kept events can't be read", file=path.name, error=str(error))
        else:
            unconfirmed.batches.extend(batches)
            unconfirmed.returned.extend(returned)
            unconfirmed.parcels.extend(parcels)
    return unconfirmed


def left(folder: Path, nexus_id: str) -> list[Path]:
    """Files that earlier starts of this nexus left, oldest first."""
    return sorted(_of_earlier_starts(folder, nexus_id, SUFFIX), key=lambda path: path.stat().st_mtime)


def sweep(folder: Path, nexus_id: str) -> None:
    """Remove the spools of earlier starts that were killed: they can't be read without what was in memory."""
    for path in _of_earlier_starts(folder, nexus_id, ".spool"):
        path.unlink(missing_ok=True)


def _of_earlier_starts(folder: Path, nexus_id: str, suffix: str) -> list[Path]:
    return [path for path in folder.glob(f"*{suffix}") if path.name.removesuffix(suffix).rpartition(".")[0] == nexus_id]


def _plain(parcel: Parcel) -> tuple[str, str, str, str, bytes]:
    return parcel.pin.bot, parcel.pin.conv, parcel.pin.lane, parcel.mark, parcel.payload


def _parcel(fields: Any, pins: Pins) -> Parcel:
    bot, conv, lane, mark, payload = fields
    return Parcel(_pin(bot, conv, lane, pins), mark, payload)


def _pin(bot: str, conv: str, lane: str, pins: Pins) -> Pin:
    pin = pins.get(f"{bot}|{conv}")
    if pin is None:
        pin = pins.pin(bot, conv, lane)
        pin.fresh = not is_parking(lane)  # where it was before tells the mover where its earlier events are
    return pin


def _batch(fields: dict[str, Any], pins: Pins) -> Batch:
    parcels = [_parcel(parcel, pins) for parcel in fields["parcels"]]
    batch = Batch(fields["inc"], fields["seq"], fields["acked"], parcels)
    batch.lanes, batch.args = fields["lanes"], fields["args"]
    return batch

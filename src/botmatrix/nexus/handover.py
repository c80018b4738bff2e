"""What a nexus could not deliver before it had to end (Redis was away), kept for its next start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import structlog

from botmatrix.nexus.ingest import Batch
from botmatrix.nexus.pins import Pin, Pins
from botmatrix.nexus.spool import Parcel, load, save

log = structlog.get_logger("handover")
SUFFIX = ".saved"


def leave(folder: Path, inc: str, batches: list[Batch], parcels: list[Parcel]) -> None:
    """Save what is unconfirmed. Raises `OSError`."""
    content = {
        "batches": [
            {
                **{"inc": batch.inc, "seq": batch.seq, "acked": batch.acked},
                **{"lanes": batch.lanes, "args": batch.args, "parcels": [_plain(p) for p in batch.parcels]},
            }
            for batch in batches
        ],
        "parcels": [_plain(parcel) for parcel in parcels],
    }
    save(folder / f"{inc}{SUFFIX}", content)
    count = sum(len(batch.parcels) for batch in batches) + len(parcels)
    log.warning("events that Redis did not take are kept for the next start", events=count)


def take(folder: Path, nexus_id: str, pins: Pins) -> tuple[list[Batch], list[Parcel]]:
    """Read what earlier starts of this nexus left; the files are removed by `done`."""
    batches: list[Batch] = []
    parcels: list[Parcel] = []
    for path in left(folder, nexus_id):
        try:
            content = load(path)
            batches += [_batch(fields, pins) for fields in content["batches"]]
            parcels += [_parcel(fields, pins) for fields in content["parcels"]]
        except (OSError, msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
            log.error("kept events can't be read", file=path.name, error=str(error))
    return batches, parcels


def left(folder: Path, nexus_id: str) -> list[Path]:
    """Files that earlier starts of this nexus left, oldest first."""
    files = [
        path for path in folder.glob(f"*{SUFFIX}") if path.name.removesuffix(SUFFIX).rpartition(".")[0] == nexus_id
    ]
    return sorted(files, key=lambda path: path.stat().st_mtime)


def _plain(parcel: Parcel) -> tuple[str, str, str, str, bytes]:
    return parcel.pin.bot, parcel.pin.conv, parcel.pin.lane, parcel.mark, parcel.payload


def _parcel(fields: Any, pins: Pins) -> Parcel:
    bot, conv, lane, mark, payload = fields
    return Parcel(_pin(bot, conv, lane, pins), mark, payload)


def _pin(bot: str, conv: str, lane: str, pins: Pins) -> Pin:
    return pins.get(f"{bot}|{conv}") or pins.pin(bot, conv, lane)


def _batch(fields: dict[str, Any], pins: Pins) -> Batch:
    parcels = [_parcel(parcel, pins) for parcel in fields["parcels"]]
    batch = Batch(fields["inc"], fields["seq"], fields["acked"], parcels)
    batch.lanes, batch.args = fields["lanes"], fields["args"]
    return batch

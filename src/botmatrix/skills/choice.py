"""Which worker executes a call."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from botmatrix.skills.model import Capability


def candidates(skill: str, workers: Mapping[str, Iterable[Capability]], declined: Collection[str]) -> list[str]:
    """The workers that reported this very skill, without those that declined the call."""
    return [
        worker for worker, can in workers.items() if worker not in declined and any(one.name == skill for one in can)
    ]


def choose(
    skill: str,
    params: Mapping[str, Any],
    workers: Mapping[str, Iterable[Capability]],
    declined: Collection[str] = (),
) -> str:
    """A worker for a call, each that can do it with the same probability; `""`: there is none now.

    `worker_id` in the parameters names the only one that may; it must be able to, like any other.
    """
    found = candidates(skill, workers, declined)
    wanted = params.get("worker_id")
    if wanted:
        return str(wanted) if str(wanted) in found else ""
    return random.choice(found) if found else ""  # noqa: S311 - no secret

"""What a worker is told at its start."""

from __future__ import annotations

from dataclasses import dataclass

from botmatrix.bus.keys import plain_id
from botmatrix.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Identity, size and times (s) of a worker. Raises `ConfigError` when the id can't stand in a name.

    `lease` is renewed every `renew`; orphans are looked for every `adopt_every`; the presence is
    announced every `announce`; a living namesake gets `probe` to
    end; at a stop, handlers get `grace` to end, and their settlements as much again.
    """

    worker_id: str
    pool: str = "default"
    concurrency: int = 64
    prefix: str = "botmatrix:"
    lease: float = 10.0
    renew: float = 2.0
    adopt_every: float = 2.0
    announce: float = 10.0
    probe: float = 3.0
    grace: float = 5.0

    def __post_init__(self) -> None:
        if not plain_id(self.worker_id):
            expected = "1 to 64 letters, digits and _ . -, not starting with _ . -, and not `default`"
            raise ConfigError("worker_id", self.worker_id, expected)
        if self.concurrency < 1:
            raise ConfigError("worker_concurrency", self.concurrency, "a number from 1 on")

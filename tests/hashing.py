"""A hasher that lets a test say when the hashes are done."""

from __future__ import annotations

import threading
from typing import Literal

from argon2 import PasswordHasher


class Gated(PasswordHasher):
    """Every check waits until `gate` is set."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.gate = threading.Event()

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
        assert self.gate.wait(20), "the test never opened the gate"
        return super().verify(hash, password)

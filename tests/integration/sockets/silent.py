"""An owner of a connection that never opens."""

from __future__ import annotations

from botmatrix.nexus.connection import Connection
from botmatrix.nexus.vigil import Vigil


class Silent:
    connection: Connection
    vigil: Vigil

    def on_open(self) -> None: ...

    def on_message(self, payload: bytes) -> None: ...

    def on_room(self) -> None: ...

    def on_end(self) -> None: ...

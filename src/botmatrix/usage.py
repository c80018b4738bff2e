"""What this process takes of the machine."""

from __future__ import annotations

import psutil


class Usage:
    """Measures from one asking to the next."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._process.cpu_percent()

    def fields(self) -> dict[str, str]:
        """`cpu_percent` of one core since it was asked last, `rss` in bytes, as presence hashes carry them."""
        return {
            "cpu_percent": f"{self._process.cpu_percent():.1f}",
            "rss": str(self._process.memory_info().rss),
        }

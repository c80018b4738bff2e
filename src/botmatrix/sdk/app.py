"""`App`: a loaded plugin's own corner of the worker."""

from __future__ import annotations

import logging
from typing import Any


class App:
    """Given to `on_startup` and `on_shutdown`. `config`: the plugin's model, filled; None without one."""

    __slots__ = ("config", "id", "log")

    def __init__(self, id: str, config: Any = None) -> None:
        self.id = id
        self.config = config
        self.log = logging.getLogger(f"botmatrix.plugin.{id}")

"""`App`: a loaded plugin's own corner of the worker."""

from __future__ import annotations

import logging
from typing import Any

from botmatrix.sdk.store import Store


class App:
    """Given to `on_startup` and `on_shutdown`. `config`: the plugin's model, filled; None without one.

    `store`: what the plugin keeps for good.
    """

    __slots__ = ("config", "id", "log", "store")

    def __init__(self, id: str, store: Store, config: Any = None) -> None:
        self.id = id
        self.store = store
        self.config = config
        self.log = logging.getLogger(f"botmatrix.plugin.{id}")

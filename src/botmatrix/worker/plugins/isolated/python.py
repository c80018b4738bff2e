"""Python plugins in a process of their own, with an environment of their own when they need packages."""

from __future__ import annotations

import sys
from pathlib import Path

from botmatrix.worker.plugins.isolated.manifest import Manifest


def is_python(manifest: Manifest) -> bool:
    """Whether the plugin is written with BotMatrix's own SDK: `isolation` without an entry."""
    return manifest.isolation == "process" and not (manifest.entry or manifest.entry_point)


async def argv(manifest: Manifest, folder: Path) -> list[str]:
    """What to start. Raises `LoadError`."""
    return [sys.executable, "-m", "botmatrix.worker.plugins.isolated.runner", str(folder)]

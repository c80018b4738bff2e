"""Watches the folders of plugins: what was edited is loaded anew within two seconds."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from watchfiles import Change, awatch

log = logging.getLogger(__name__)

SETTLE_MS = 300
"""Changes are taken together until there were none for so long ..."""
LONGEST_MS = 1200
"""... or this has passed."""
PAUSE = 2.0
_CODE = (".py", ".js", ".mjs", ".cjs")
_OTHERS = frozenset({"__pycache__", "node_modules"})
Refresh = Callable[[set[str]], Awaitable[object]]


class Watch:
    """Calls `refresh` with the places (`Source.place`) whose code came, changed or went.

    Code is `plugin.json`, Python, JavaScript and whatever may be executed: what plugins write into their own folders
    mostly is none of it.
    """

    def __init__(self, folders: Iterable[Path], refresh: Refresh) -> None:
        self._folders = {folder.resolve(): folder for folder in folders}
        self._refresh = refresh

    async def run(self) -> None:
        """Until cancelled. A folder that is not there yet is looked for every 2 s."""
        while True:
            folders = [folder for folder in self._folders if folder.is_dir()]
            if folders:
                await self._watch(folders)
            await asyncio.sleep(PAUSE)

    async def _watch(self, folders: list[Path]) -> None:
        """Until one of the folders that are missing is there."""
        try:
            async for changes in awatch(
                *folders,
                watch_filter=self._is_code,
                debounce=LONGEST_MS,
                step=SETTLE_MS,
                rust_timeout=int(PAUSE * 1000),
                yield_on_timeout=True,
            ):
                if changes:
                    await self._refresh({place for _, path in changes if (place := self._place(Path(path)))})
                if any(folder.is_dir() is not (folder in folders) for folder in self._folders):
                    return
        except OSError as error:
            log.warning("the folders of plugins can't be watched: %s", error)

    def _place(self, path: Path) -> str:
        for folder, named in self._folders.items():
            if path != folder and path.is_relative_to(folder):
                return str(named / path.relative_to(folder).parts[0])
        return ""

    def _is_hidden(self, path: Path) -> bool:
        """Whether it, or a folder of a plugin that it is in, begins with a dot."""
        folders = [folder for folder in self._folders if path.is_relative_to(folder)]
        return any(part.startswith(".") for folder in folders for part in path.relative_to(folder).parts)

    def _is_code(self, change: Change, changed: str) -> bool:
        path = Path(changed)
        if self._is_hidden(path) or not _OTHERS.isdisjoint(path.parts):
            return False
        if change is Change.added and path.is_dir():  # a folder that was moved here says nothing of its files
            return path.parent in self._folders or (path / "plugin.json").is_file()
        if path.name == "plugin.json" or path.name.endswith(_CODE):
            return True
        if change is Change.deleted:
            return path.parent in self._folders
        return path.is_file() and os.access(path, os.X_OK)

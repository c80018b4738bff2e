"""Where plugins come from: folders of the administrator, installed packages, and BotMatrix itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import NamedTuple

import botmatrix.plugins

GROUP = "botmatrix.plugins"
PACKAGED = "bmpk"
_RANKS = ("file", PACKAGED, "package", "built-in")


class Source(NamedTuple):
    """One plugin that could be loaded. `name`: of its file, folder or entry point; mostly its id.

    `kind`: `file` (of the worker's own folders), `bmpk` (a package that every worker runs, unpacked at `path`),
    `package` (installed beside BotMatrix), `built-in`. `version`: of a package.
    """

    kind: str
    name: str
    path: Path | None = None
    entry_point: EntryPoint | None = None
    version: str = ""

    @property
    def rank(self) -> int:
        """Of several with the same id the lowest serves: what lies in a worker's own folder belongs to that worker."""
        return _RANKS.index(self.kind) if self.kind in _RANKS else len(_RANKS)

    @property
    def is_built_in(self) -> bool:
        """Whether BotMatrix brought it along."""
        return self.kind == "built-in"

    @property
    def place(self) -> str:
        """What stays the same when the plugin gets a new version: its file, or the folder of its versions."""
        if self.kind == PACKAGED:
            return f"{PACKAGED} {self.name}"
        if self.path is None or self.name in (self.path.name, self.path.stem):
            return str(self)
        return str(self.path.parent)

    def __str__(self) -> str:
        if self.kind == "file":
            return str(self.path)
        return f"{self.kind} {self.name} {self.version}".rstrip()


def discover(folders: Iterable[Path]) -> list[Source]:
    """Every plugin there is. Those of the administrator come first: they may take the place of a built-in."""
    return [*_in_folders(folders), *_in_packages(), *_built_in()]


def _in_folders(folders: Iterable[Path]) -> Iterator[Source]:
    for folder in folders:
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if _is_plugin(path):
                yield Source("file", path.stem if path.is_file() else path.name, path)
            elif versions := _versions(path):
                yield Source("file", path.name, versions[-1])


def _versions(path: Path) -> list[Path]:
    """The folders `ID/VERSION` that hold a plugin, highest version last."""
    if path.name.startswith((".", "_")) or not path.is_dir():
        return []
    found = [manifest.parent for manifest in path.glob("[!._]*/plugin.json")]
    return sorted(found, key=lambda folder: ([int(part) for part in re.findall("[0-9]+", folder.name)], folder.name))


def _is_plugin(path: Path) -> bool:
    if path.name.startswith((".", "_")):
        return False
    if path.is_dir():
        return (path / "plugin.json").is_file() or (path / "__init__.py").is_file()
    return path.suffix == ".py"


def _in_packages() -> Iterator[Source]:
    for entry_point in sorted(entry_points(group=GROUP)):
        yield Source("package", entry_point.name, entry_point=entry_point)


def _built_in() -> Iterator[Source]:
    for folder in botmatrix.plugins.__path__:
        for path in sorted(Path(folder).glob("[!_]*.py")):
            yield Source("built-in", path.stem, path)

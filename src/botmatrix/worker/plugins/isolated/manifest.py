"""The folder of a plugin that runs in a process of its own: its `plugin.json`, and the program it names."""

from __future__ import annotations

import shutil
from pathlib import Path

from botmatrix.packaging.manifest import (
    LARGEST,
    BadManifest,
    Intent,
    Limits,
    Manifest,
    parse_document,
    parse_manifest,
)
from botmatrix.worker.plugins.loader import LoadError

__all__ = ["Intent", "Limits", "Manifest", "argv", "read_manifest", "runs_isolated"]


def argv(manifest: Manifest, folder: Path) -> list[str]:
    """The program and its arguments, never given to a shell. Raises `LoadError`."""
    try:
        program, *arguments = manifest.words()
    except BadManifest as error:
        raise LoadError(f"plugin.json: {error}") from None
    return [_program(program, folder), *arguments]


def runs_isolated(folder: Path) -> bool:
    """Whether a folder holds a plugin for a process of its own. Raises `LoadError`."""
    path = folder / "plugin.json"
    if not path.is_file():
        return False
    try:
        found = parse_document(_text(path))
    except BadManifest as error:
        raise LoadError(f"{path} {error}") from None
    return any(found.get(key) for key in ("entry", "entry_point")) or found.get("isolation") == "process"


def read_manifest(folder: Path) -> Manifest:
    """Raises `LoadError`, which says what is wrong and where."""
    path = folder / "plugin.json"
    try:
        return parse_manifest(_text(path))
    except BadManifest as error:
        raise LoadError(f"{path}: {error}") from None


def _text(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except OSError as error:
        raise LoadError(f"{path} can't be read: {error.strerror}") from None


def _program(word: str, folder: Path) -> str:
    """A file of the plugin's own folder, a program of the machine by its name, or an absolute path."""
    own = folder / word
    if not own.is_file():
        if "/" in word and not word.startswith("/"):
            raise LoadError(f"plugin.json: entry names {word}, which is not there")
        if shutil.which(word) is None:
            raise LoadError(f"plugin.json: entry names {word}, a program that this machine does not have")
        return word
    if not own.resolve().is_relative_to(folder.resolve()) and not word.startswith("/"):
        raise LoadError(f"plugin.json: entry names {word}, which is outside of the plugin's folder")
    return str(own.resolve() if not word.startswith("/") else own)

"""`plugin new`: a working plugin to begin with, in a folder of its own, with its kit and a test."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import botmatrix
from botmatrix.errors import BotMatrixError
from botmatrix.packaging.package import RESERVED

SKELETONS: Final = Path(__file__).with_name("skeletons")
BUILD_LIMIT: Final = 300.0
"""Seconds that the first build may take: a compiler may have to build its own library first."""
_ID: Final = re.compile(r"[a-z0-9][a-z0-9_\-]{0,31}")


class Language(NamedTuple):
    """`kit`: its file in `sdks/`, and where that goes. `build` makes the program, `test` runs its test."""

    kit: tuple[str, str] | None
    build: Sequence[str]
    test: str


LANGUAGES: Final = {
    "python": Language(None, (), "python test_plugin.py"),
    "go": Language(("go/botmatrix.go", "botmatrix/botmatrix.go"), ("go", "build", "-o", "{id}", "."), "go test ./..."),
    "node": Language(("node/botmatrix.js", "botmatrix.js"), (), "node --test"),
    "csharp": Language(
        ("dotnet/BotMatrix.cs", "BotMatrix.cs"),
        ("mcs", "-out:{id}.exe", "BotMatrix.cs", "Program.cs"),
        "mono {id}.exe test",
    ),
}


class Made(NamedTuple):
    """A new plugin. `build`: the command that makes its program, empty if it needs none; `built`: that was done."""

    folder: Path
    build: str
    built: bool
    test: str


def make(id: str, language: str, into: Path) -> Made:
    """A folder `id` with a new plugin, there as a whole or not at all. Raises `BotMatrixError`."""
    known = LANGUAGES.get(language)
    if known is None:
        raise BotMatrixError(f"--lang: one of {', '.join(LANGUAGES)}, not {language!r}")
    if id in RESERVED:
        raise BotMatrixError(f"{id!r} can't be its id: BotMatrix itself has it")
    if not _ID.fullmatch(id):
        raise BotMatrixError(f"{id!r} can't be its id: use small letters, digits, _ and -, at most 32")
    place = into / id
    if place.exists():
        raise BotMatrixError(f"{place} is there already")
    into.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=".new-", dir=into))
    try:
        _fill(making, id, language, known)
        built = _build(making, id, known)
        making.chmod(0o755)
        making.rename(place)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return Made(place, _said(known.build, id), built, known.test.format(id=id))


def _fill(folder: Path, id: str, language: str, known: Language) -> None:
    for path in sorted((SKELETONS / language).iterdir()):
        text = path.read_text("utf-8").replace("{{id}}", id)
        (folder / path.name.removesuffix(".txt")).write_text(text, "utf-8")
    if known.kit is not None:
        source, target = known.kit
        (folder / target).parent.mkdir(exist_ok=True)
        shutil.copyfile(_kit(source), folder / target)


def _build(folder: Path, id: str, known: Language) -> bool:
    if not known.build or shutil.which(known.build[0]) is None:
        return False
    command = [word.format(id=id) for word in known.build]
    done = subprocess.run(  # noqa: S603  our own command line
        command, cwd=folder, capture_output=True, text=True, timeout=BUILD_LIMIT, check=False
    )
    if done.returncode:
        raise BotMatrixError(f"{' '.join(command)} failed: {(done.stdout + done.stderr).strip()[-600:]}")
    for name in (id, f"{id}.exe"):
        if (folder / name).is_file():
            (folder / name).chmod(0o755)
    return True


def _kit(name: str) -> Path:
    """A kit's file: installed beside BotMatrix, or in its sources."""
    package = Path(botmatrix.__file__).parent
    for folder in (package / "kits", package.parents[1] / "sdks"):
        if (folder / name).is_file():
            return folder / name
    raise BotMatrixError(f"the kit {name} is not part of this installation")


def _said(command: Sequence[str], id: str) -> str:
    return " ".join(command).format(id=id)

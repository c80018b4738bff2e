"""Python plugins in a process of their own, with an environment of their own when they need packages.

An environment is made once for a list of requirements and an interpreter, and kept; plugins with the same list share
it. The packages of the plugin come first in it, BotMatrix and what it needs come after them.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import IO

import botmatrix
from botmatrix.worker.plugins.isolated.manifest import Manifest, argv
from botmatrix.worker.plugins.loader import LoadError

BUILD_LIMIT = 600.0
"""Seconds that the making of an environment may take."""
LOCK = "requirements.lock"
"""What is in an environment; written last, so its presence says that the environment is whole."""
SAID = 600
"""Characters of a build's log that are shown when it fails."""


def is_python(manifest: Manifest) -> bool:
    """Whether the plugin is written with BotMatrix's own SDK: `isolation` without an entry."""
    return manifest.isolation == "process" and not (manifest.entry or manifest.entry_point)


async def program(manifest: Manifest, folder: Path, envs: Path | None) -> tuple[list[str], dict[str, str]]:
    """What to start for any plugin, and with which variables. Raises `LoadError`."""
    return await launch(manifest, folder, envs) if is_python(manifest) else (argv(manifest, folder), {})


async def launch(manifest: Manifest, folder: Path, envs: Path | None) -> tuple[list[str], dict[str, str]]:
    """What to start, and with which variables. Makes the environment when it is not there. Raises `LoadError`."""
    module = ["-m", "botmatrix.worker.plugins.isolated.runner", str(folder)]
    if not manifest.requirements:
        return [sys.executable, *module], {"PYTHONPATH": str(Path(botmatrix.__file__).parents[1])}
    if envs is None:
        raise LoadError("plugin.json: requirements: there is no folder for environments here")
    place = await asyncio.to_thread(environment, manifest.requirements, envs)
    return [str(place / "bin" / "python"), *module], {}


def environment(requirements: Sequence[str], envs: Path) -> Path:
    """The environment for these requirements. Raises `LoadError`, with the end of the build's log."""
    for line in requirements:
        if line.startswith("-") or "\n" in line:
            raise LoadError(f"plugin.json: requirements: {line!r} is no requirement")
    wanted = "\n".join([sys.version, sys.prefix, *sorted(requirements)])
    place = envs / blake2b(wanted.encode(), digest_size=8).hexdigest()
    if not (place / LOCK).is_file():
        envs.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make(requirements, place)
    return place


def _make(requirements: Sequence[str], place: Path) -> None:
    """Made beside its place and moved there when it is whole: a broken one is never found."""
    making = Path(tempfile.mkdtemp(prefix=".making-", dir=place.parent))
    log = place.parent / f"{place.name}.log"
    try:
        with log.open("wb") as output:
            for command in _commands(making, requirements):
                _run(command, output, log)
        with (making / LOCK).open("wb") as output:
            _run(_freeze(making), output, log)
        _add_ours(making)
        with suppress(OSError):  # another worker was quicker: its environment is as good
            making.rename(place)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _commands(making: Path, requirements: Sequence[str]) -> list[list[str]]:
    python = str(making / "bin" / "python")
    if uv := shutil.which("uv"):
        make = [uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(making)]
        return [make, [uv, "pip", "install", "--python", python, *requirements]]
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *requirements]
    return [[sys.executable, "-m", "venv", str(making)], pip]


def _freeze(making: Path) -> list[str]:
    python = str(making / "bin" / "python")
    if uv := shutil.which("uv"):
        return [uv, "pip", "freeze", "--quiet", "--python", python]
    return [python, "-m", "pip", "freeze", "--disable-pip-version-check"]


def _run(command: list[str], output: IO[bytes], log: Path) -> None:
    process = subprocess.Popen(  # noqa: S603  no shell; what is installed is what the plugin's manifest says
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        code = process.wait(BUILD_LIMIT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise LoadError(f"its environment was not made in {BUILD_LIMIT:g} s: see {log}") from None
    if code:
        said = log.read_text("utf-8", "replace")[-SAID:].strip()
        raise LoadError(f"its environment can't be made: {said} (see {log})")


def _add_ours(making: Path) -> None:
    """After the plugin's own packages, those of this interpreter: BotMatrix is one of them."""
    (site,) = making.glob("lib/python*/site-packages")
    stdlib = os.path.join(sys.base_prefix, "lib")
    ours = [str(Path(botmatrix.__file__).parents[1])]
    ours += [path for path in sys.path if path.endswith("-packages") or not path.startswith(stdlib)]
    found = dict.fromkeys(path for path in ours if path and os.path.isdir(path))
    (site / "zz_botmatrix.pth").write_text("\n".join(found) + "\n")

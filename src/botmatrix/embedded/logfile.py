"""The combined log on disk: `HOME/logs/botmatrix.log`, turned over by size."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import TextIO

_COLOR = re.compile(r"\x1b\[[0-9;]*m")


class LogFile:
    """Appends text; at `max_bytes` the file becomes `.1`, that one `.2`, up to `keep`. Never raises."""

    def __init__(self, path: Path, *, max_bytes: int = 10 * 1024**2, keep: int = 5) -> None:
        self._path, self._max_bytes, self._keep = path, max_bytes, keep
        self._file: TextIO | None = None

    def write(self, text: str) -> None:
        """Append, without colours."""
        with contextlib.suppress(OSError, ValueError):
            file = self._file or self._open()
            file.write(_COLOR.sub("", text))
            file.flush()
            if file.tell() > self._max_bytes:
                self._turn_over()

    def close(self) -> None:
        """End it; a later write opens it again."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def _open(self) -> TextIO:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(descriptor, "a", encoding="utf-8", errors="replace")
        return self._file

    def _turn_over(self) -> None:
        self.close()
        for number in range(self._keep - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                self._numbered(number).replace(self._numbered(number + 1))
        self._path.replace(self._numbered(1))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


class Tee:
    """Writes to a terminal (or pipe) and to the log file; the failure of one does not silence the other."""

    def __init__(self, screen: TextIO, file: LogFile) -> None:
        self._screen, self._file = screen, file

    def write(self, text: str, /) -> None:
        """To both."""
        self._file.write(text)
        with contextlib.suppress(OSError, ValueError):
            self._screen.write(text)

    def flush(self) -> None:
        """The file is flushed as it is written."""
        with contextlib.suppress(OSError, ValueError):
            self._screen.flush()

    def isatty(self) -> bool:
        """Whether people look at it in a terminal."""
        return self._screen.isatty()

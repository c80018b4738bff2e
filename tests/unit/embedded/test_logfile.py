"""The log on disk."""

from __future__ import annotations

import io
import stat
from contextlib import closing
from pathlib import Path

from botmatrix.embedded.logfile import LogFile, Tee


def test_file_is_private_and_without_colours(tmp_path: Path) -> None:
    path = tmp_path / "botmatrix.log"
    with closing(LogFile(path)) as file:
        file.write("\x1b[31mred\x1b[0m\n")
    assert path.read_text() == "red\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_file_is_turned_over_by_size_and_old_ones_are_dropped(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "log", max_bytes=10, keep=2)
    for number in range(5):
        file.write(f"line number {number}\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.1", "log.2"]
    assert (tmp_path / "log.1").read_text() == "line number 4\n"


def test_folder_that_is_gone_loses_lines_and_nothing_else(tmp_path: Path) -> None:
    LogFile(tmp_path / "gone" / "log").write("lost\n")


class Broken(io.StringIO):
    def write(self, text: str, /) -> int:
        raise BrokenPipeError


def test_terminal_that_went_away_does_not_silence_the_file(tmp_path: Path) -> None:
    with closing(LogFile(tmp_path / "log")) as file:
        tee = Tee(Broken(), file)
        tee.write("kept\n")
        tee.flush()
    assert (tmp_path / "log").read_text() == "kept\n"

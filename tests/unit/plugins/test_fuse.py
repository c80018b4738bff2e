"""What a worker remembers of plugins that ended it while they were loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from botmatrix.clock import ManualClock
from botmatrix.worker.plugins.fuse import IN_A_ROW, Fuse, mark_of
from botmatrix.worker.plugins.loader import LoadError
from botmatrix.worker.plugins.source import Source

DIE = """
import os, sys
from pathlib import Path
from botmatrix.clock import ManualClock
from botmatrix.worker.plugins.fuse import Fuse
from botmatrix.worker.plugins.source import Source

fuse = Fuse(Path(sys.argv[1]), ManualClock(float(sys.argv[3])))
fuse.look_back()
with fuse.loading(Source("file", "bad", Path(sys.argv[2])), by_hand=sys.argv[4] == "by hand"):
    os._exit(9)
"""


class Stage:
    def __init__(self, folder: Path) -> None:
        self.notes, self.file = folder / "notes", folder / "bad.py"
        self.file.write_text("1")
        self.source = Source("file", "bad", self.file)

    def die(self, at: float, *, by_hand: bool = False) -> bool:
        """Whether a process that loads it ends by it; False when it is refused."""
        arguments = (self.notes, self.file, at, "by hand" if by_hand else "")
        command = [sys.executable, "-c", DIE, *map(str, arguments)]
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        assert ended.returncode == 9 or "LoadError" in ended.stderr, ended.stderr
        return ended.returncode == 9

    def load(self, at: float = 0) -> None:
        fuse = Fuse(self.notes, ManualClock(at))
        fuse.look_back()
        with fuse.loading(self.source, by_hand=False):
            assert list(self.notes.glob("note-*"))


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_after_two_deaths_in_a_row_it_is_refused_for_good(stage: Stage) -> None:
    assert stage.die(0)
    assert stage.die(IN_A_ROW)
    for at in (IN_A_ROW + 1, 1e9):
        with pytest.raises(LoadError, match="botmatrix plugin reload bad"):
            stage.load(at)


def test_two_deaths_with_a_long_time_between_them_are_none_in_a_row(stage: Stage) -> None:
    assert stage.die(0)
    assert stage.die(IN_A_ROW + 1)
    stage.load(IN_A_ROW + 2)


def test_what_was_loaded_since_is_forgiven(stage: Stage) -> None:
    assert stage.die(0)
    stage.load(1)
    assert stage.die(2)
    stage.load(3)


def test_what_was_changed_since_is_tried_again(stage: Stage) -> None:
    assert stage.die(0)
    assert stage.die(1)
    stage.file.write_text("2")
    stage.load(2)
    assert not list(stage.notes.glob("note-*"))


def test_by_hand_it_is_tried_again_and_may_die_twice_again(stage: Stage) -> None:
    assert stage.die(0)
    assert stage.die(1)
    assert not stage.die(2)
    assert stage.die(3, by_hand=True)
    assert stage.die(4)
    assert not stage.die(5)


def test_what_another_worker_loads_now_is_no_death(stage: Stage) -> None:
    with Fuse(stage.notes, ManualClock(0)).loading(stage.source, by_hand=False):
        assert stage.die(1)
        stage.load(2)
        assert len(list(stage.notes.glob("note-*"))) == 1


def test_a_plugin_that_fails_without_a_death_leaves_no_note(stage: Stage) -> None:
    fuse = Fuse(stage.notes, ManualClock(0))
    with pytest.raises(ZeroDivisionError), fuse.loading(stage.source, by_hand=False):
        raise ZeroDivisionError
    assert not list(stage.notes.glob("note-*"))


@pytest.mark.parametrize("content", [b"", b"[]", b'{"x": 1}', b"\xff"])
def test_files_that_nobody_here_wrote_hold_up_nothing(stage: Stage, content: bytes) -> None:
    stage.notes.mkdir()
    (stage.notes / "deaths.json").write_bytes(content)
    (stage.notes / "note-1").write_bytes(content)
    stage.load()
    assert not list(stage.notes.glob("note-*"))


def test_a_folder_that_can_not_be_had_holds_up_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    fuse = Fuse(tmp_path / "file" / "notes", ManualClock(0))
    fuse.look_back()
    ran = False
    with fuse.loading(Source("file", "bad", tmp_path / "file"), by_hand=True):
        ran = True
    assert ran


def test_the_mark_of_a_folder_goes_by_its_code_alone(tmp_path: Path) -> None:
    source = Source("file", tmp_path.name, tmp_path)
    (tmp_path / "plugin.py").write_text("1")
    first = mark_of(source)
    (tmp_path / "kept.db").write_text("what it keeps")
    assert mark_of(source) == first
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "more.py").write_text("2")
    assert mark_of(source) != first

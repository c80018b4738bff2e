"""Folders become packages, the same bytes each time."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from tests.unit.packaging.archives import CODE

from botmatrix.cli.packing import pack
from botmatrix.packaging.package import BadPackage, read_package


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plugin.json").write_text('{"id": "dice", "version": "1.0.0"}')
    (tmp_path / "plugin.py").write_text(CODE)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "data" / "run.sh").chmod(0o755)
    return tmp_path


def test_the_same_folder_gives_the_same_bytes_without_what_is_hidden(folder: Path) -> None:
    package, data = pack(folder)
    for name in (".git/config", "__pycache__/plugin.pyc", "dice_0.9.0.bmpk"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    (folder / "plugin.py").touch()
    assert pack(folder) == (package, data)
    assert package.file_name == "dice_1.0.0.bmpk"
    _, archive = read_package(io.BytesIO(data))
    kinds = {member.path: member.executable for member in archive.members}
    assert kinds == {"plugin.json": False, "plugin.py": False, "data/run.sh": True}


def test_a_link_is_not_packed(folder: Path) -> None:
    (folder / "secret").symlink_to("/etc/passwd")
    with pytest.raises(BadPackage, match="symbolic link"):
        pack(folder)


def test_a_folder_that_is_no_plugin_is_not_packed(tmp_path: Path) -> None:
    with pytest.raises(BadPackage, match=r"no plugin\.json"):
        pack(tmp_path)

"""What `plugin new` needs goes into the wheel."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

import botmatrix
from botmatrix.cli.skeleton import LANGUAGES, SKELETONS

PACKAGE = Path(botmatrix.__file__).parent
ROOT = PACKAGE.parents[1]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_kit_and_the_skeleton_of_each_language_are_packed(language: str) -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert [ROOT / folder for folder in wheel["packages"]] == [PACKAGE]
    files = [path.name for path in (SKELETONS / language).iterdir()]
    assert SKELETONS.is_relative_to(PACKAGE)
    assert "plugin.json" in files
    assert json.loads((SKELETONS / language / "plugin.json").read_text("utf-8"))["id"] == "{{id}}"
    if (kit := LANGUAGES[language].kit) is not None:
        assert wheel["force-include"][f"sdks/{kit[0]}"] == f"botmatrix/kits/{kit[0]}"
        assert (ROOT / "sdks" / kit[0]).is_file()

"""What the documents say of settings and commands is what there is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from botmatrix.config import OPTIONS
from botmatrix.config.options import PARTS

ROOT = Path(__file__).parents[2]
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()


def test_every_setting_is_documented() -> None:
    assert [option.key for option in OPTIONS if f"`{option.key}`" not in CONFIGURATION] == []
    assert [option.variable for option in PARTS if f"`{option.variable}`" not in CONFIGURATION] == []


def test_links_of_the_documents_lead_somewhere() -> None:
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        for link in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"


def test_locks_hold_every_dependency_with_hashes_and_name_no_registry() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = {"requirements.lock": [*project["project"]["dependencies"], *project["dependency-groups"]["build"]]}
    wanted["requirements-dev.lock"] = [*wanted["requirements.lock"], *project["dependency-groups"]["dev"]]
    for name, requirements in wanted.items():
        lock = (ROOT / name).read_text()
        locked = set(re.findall(r"^([a-z0-9.\-]+)==", lock, re.MULTILINE))
        assert {re.split(r"[\[<>=~! ]", line)[0].lower() for line in requirements} - locked == set()
        assert len(re.findall(r"^\S+==", lock, re.MULTILINE)) <= lock.count("--hash=sha256:")
        assert "http://" not in lock
        assert "https://" not in lock

"""`botmatrix plugin`: new plugins work, and packages are made and installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis
from tests.unit.packaging.archives import package
from typer.testing import CliRunner

from botmatrix.bus.keys import Keys
from botmatrix.cli.main import app
from botmatrix.cli.skeleton import LANGUAGES
from botmatrix.core.plugins import parse
from botmatrix.worker.plugins.isolated.check import check

TOOLS = {"go": "go", "node": "node", "csharp": "mcs"}


class Cli:
    """The command with the engines of the test."""

    def __init__(self, home: Path, redis_url: str, database_url: str) -> None:
        self.home, self.redis = home, redis.Redis.from_url(redis_url)
        self._environ = {"BOTMATRIX_HOME": str(home), "REDIS_URL": redis_url, "DATABASE_URL": database_url}

    def __call__(self, *words: str) -> str:
        done = CliRunner().invoke(app, ["plugin", *words], env=self._environ)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.output

    def wanted(self, plugin: str = "dice") -> Any:
        found = self.redis.get(Keys().plugins)
        assert isinstance(found, bytes)
        return parse(found).wish(plugin)


@pytest.fixture
def cli(home: Path, redis_url: str, database_url: str) -> Cli:
    return Cli(home, redis_url, database_url)


def test_packages_are_made_installed_upgraded_rolled_back_and_removed(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "dice"
    cli("new", "dice", "--into", str(tmp_path))
    cli("pack", str(folder), "--into", str(tmp_path))
    assert "dice 0.1.0" in cli("install", str(tmp_path / "dice_0.1.0.bmpk"), "--grant", "send_msg")
    assert (cli.wanted().package.version, cli.wanted().grants) == ("0.1.0", ("send_msg",))
    text = (folder / "plugin.json").read_text()
    (folder / "plugin.json").write_text(text.replace("0.1.0", "0.2.0"))
    cli("install", str(folder))
    cli("rollback", "dice")
    assert cli.wanted().package.version == "0.1.0"
    cli("upgrade", "dice")
    assert cli.wanted().package.version == "0.2.0"
    rows = json.loads(cli("packages", "--json"))
    assert {row["version"]: row["state"] for row in rows} == {"0.1.0": "previous", "0.2.0": "active"}
    cli("remove", "dice", "0.1.0")
    cli("grant", "dice")
    assert cli.wanted().grants == ()
    cli("remove", "dice")
    assert cli.wanted().package is None
    assert json.loads(cli("packages", "--json")) == []


@pytest.mark.parametrize(
    ("name", "options", "word"),
    [
        ("dice_2.0.0.bmpk", (), "its name says"),
        ("dice_1.0.0.bmpk", ("--sha256", "0" * 64), "sha256"),
        ("nothing.bmpk", (), "No such file"),
    ],
)
def test_what_is_not_right_is_refused_in_words(
    cli: Cli, tmp_path: Path, name: str, options: tuple[str, ...], word: str
) -> None:
    if name != "nothing.bmpk":
        (tmp_path / name).write_bytes(package())
    with pytest.raises(Exception, match=word):
        cli("install", str(tmp_path / name), *options)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
async def test_a_new_plugin_works_and_so_does_its_test(language: str, cli: Cli) -> None:
    if language in TOOLS and shutil.which(TOOLS[language]) is None:
        pytest.skip(f"{TOOLS[language]} is not on this machine")
    said = cli("new", "hello", "--lang", language)
    folder = cli.home / "plugins" / "hello"
    if language != "python":
        findings = [finding async for finding in check(folder, None)]
        assert [finding for finding in findings if finding.problem] == []
    (test,) = [line.partition(": ")[2] for line in said.splitlines() if line.startswith("Its test, there: ")]
    environ = {**os.environ, "GOFLAGS": "-mod=mod", "GOPROXY": "off", "PYTHONPATH": os.pathsep.join(sys.path)}
    words = [sys.executable if word == "python" else word for word in test.split()]
    done = subprocess.run(  # noqa: ASYNC221  nothing else runs here
        words, cwd=folder, env=environ, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with pytest.raises(Exception, match="there already"):
        cli("new", "hello", "--lang", language)


@pytest.mark.parametrize("name", ["Hello", "../hello", "matrix", "a b", ""])
def test_a_name_that_can_not_be_an_id_is_refused(cli: Cli, name: str) -> None:
    with pytest.raises(Exception, match="can't be its id"):
        cli("new", name)

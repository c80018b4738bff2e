"""`botmatrix db backup` and `restore`: what they say, above all of what is left out and of tasks."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import pytest
from tests.postgres import run_apart

from botmatrix.cli.main import run

TABLES = """
INSERT INTO tasks (name, type, action_type, action_params, hidden, creator, status)
    VALUES ('t', 'condition', 'send_message', '{}', false, 'me', 'pending');
CREATE SCHEMA plugin_bank; CREATE TABLE plugin_bank.botmatrix_steps (number int, digest text, step text);
CREATE TABLE plugin_bank.ledger (n int); INSERT INTO plugin_bank.ledger VALUES (5);
CREATE SCHEMA plugin_album; CREATE TABLE plugin_album.botmatrix_steps (number int, digest text, step text);
CREATE TABLE plugin_album.pictures (large oid);"""


async def _do(url: str, statements: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statements)
    await connection.close()


def test_a_backup_warns_of_what_it_leaves_out_and_a_restore_of_tasks(
    tmp_path: Path,
    redis_url: str,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in (("BOTMATRIX_HOME", str(tmp_path)), ("REDIS_URL", redis_url), ("DATABASE_URL", database_url)):
        monkeypatch.setenv(name, value)
    run_apart(_do(database_url, TABLES))
    file = str(tmp_path / "b.gz")
    assert run(["db", "backup", file]) == 0
    warning = (
        "WARNING: the tables of the plugin album are NOT in the backup: the column pictures.large has the type oid, "
        "which means nothing elsewhere. Keep them by pg_dump -n 'plugin_album'"
    )
    assert warning in capsys.readouterr().err
    run_apart(_do(database_url, "DELETE FROM plugin_bank.ledger"))
    assert run(["db", "restore", file, "--only", "tasks,tables", "--yes"]) == 0
    said = capsys.readouterr()
    assert said.out == (
        "2 rows are back: tags 0, tasks 1, plugin_bank.ledger 1.\n"
        "Tasks that were on are paused: switch on those that are still wanted (`botmatrix task list`).\n"
    )
    assert warning in said.err
    assert run(["db", "restore", file, "--without", "tables:bank,tasks,everything", "--yes"]) == 1
    assert "there is no part 'everything': the parts are users, " in capsys.readouterr().err
    assert run(["db", "restore", file, "--only", "tables:album", "--yes"]) == 1
    assert "made without the tables of the plugin album" in capsys.readouterr().err

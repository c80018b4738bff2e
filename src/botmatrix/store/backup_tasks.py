"""Tasks on their way back: paused, and beside the hidden ones, which stand for calls under way."""

from __future__ import annotations

from typing import Any, Final

from botmatrix.store.backup_file import Reader
from botmatrix.store.backup_rows import fill

Connection = Any
_HELD: Final = "botmatrix_held_tasks"


async def tasks_back(connection: Connection, reader: Reader, columns: list[str]) -> None:
    """Put the tasks of the file into the table. Raises `BadBackup`.

    One that was on is paused: what it would do next may have passed. It keeps its id, unless a call has that.
    """
    await connection.execute(
        f"CREATE TEMP TABLE {_HELD} (LIKE tasks INCLUDING DEFAULTS INCLUDING INDEXES) ON COMMIT DROP"
    )
    await fill(connection, reader, "tasks", ("pg_temp", _HELD), columns)
    await connection.execute(_PAUSE)
    await connection.execute(_NUMBER)
    await connection.execute(_RENUMBER)
    await connection.execute(f"INSERT INTO tasks OVERRIDING SYSTEM VALUE SELECT * FROM {_HELD}")  # noqa: S608


_PAUSE: Final = f"""
UPDATE {_HELD} SET next_run_time = NULL, hidden = false, updated_at = now(),
    status = CASE status WHEN 'pending' THEN 'disabled' ELSE status END"""  # noqa: S608 - our own name
_NUMBER: Final = f"""
SELECT setval(pg_get_serial_sequence('tasks', 'id'), found.most) FROM (
    SELECT max(id) AS most FROM (SELECT id FROM tasks UNION ALL SELECT id FROM {_HELD}) AS every) AS found
WHERE found.most IS NOT NULL"""  # noqa: S608 - our own name
_RENUMBER: Final = f"""
UPDATE {_HELD} SET id = nextval(pg_get_serial_sequence('tasks', 'id'))
WHERE id IN (SELECT id FROM tasks)"""  # noqa: S608 - our own name

"""What a backup takes of plugins' own schemas: the steps that made the tables, where numbering stands, the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from botmatrix.store.plugin_schemas import MARKS, PREFIX

Connection = Any
NUMBERING: Final = "botmatrix_numbering"
"""What the file calls the state of a schema's sequences."""
_INSIDE: Final = frozenset(
    {"oid", "lo", "xid", "xid8", "cid", "tid", "pg_lsn", "pg_snapshot", "txid_snapshot"}
)  # fmt: skip
"""Types whose values point at something inside of one PostgreSQL, such as a large object."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a backup copies: the name in the file, the columns, and the query that gives the rows."""

    name: str
    columns: list[str]
    query: str


def quoted(name: str) -> str:
    """A name in SQL."""
    return '"' + name.replace('"', '""') + '"'


async def sources(connection: Connection) -> tuple[list[Source], dict[str, str]]:
    """Of every schema what is copied, in order; and the schemas that can't be, with the reason."""
    found: list[Source] = []
    skipped: dict[str, str] = {}
    for row in await connection.fetch(_SCHEMAS, PREFIX, MARKS):
        schema = row["nspname"]
        tables = await connection.fetch(_TABLES, schema, MARKS)
        columns = [await connection.fetch(_COLUMNS, table["oid"]) for table in tables]
        if why := _obstacle(tables, columns):
            skipped[schema] = why
            continue
        found += [await _steps(connection, schema), _numbering(schema)]
        found += [_rows(schema, table, held) for table, held in zip(tables, columns, strict=True)]
    return found, skipped


def _obstacle(tables: Sequence[Any], columns: Sequence[Sequence[Any]]) -> str:
    """Why these can't be copied so that they mean the same elsewhere; or empty."""
    for table, held in zip(tables, columns, strict=True):
        name = table["relname"]
        if table["relkind"] == "f":
            return f"the rows of the table {name} are in another database"
        if not held:
            return f"the table {name} has no columns of its own"
        for column in held:
            if inside := _INSIDE.intersection(column["types"]):
                return (
                    f"the column {name}.{column['attname']} has the type {min(inside)}, which means nothing elsewhere"
                )
    return ""


async def _steps(connection: Connection, schema: str) -> Source:
    kept = await connection.fetchval(_HAS_COLUMN, schema, MARKS, "step")
    step = "step" if kept else "NULL::text"
    marks = f"{quoted(schema)}.{quoted(MARKS)}"
    query = f"SELECT number, digest, {step} FROM {marks} ORDER BY number"  # noqa: S608 - names are quoted
    return Source(f"{schema} {MARKS}", ["number", "digest", "step"], query)


def _numbering(schema: str) -> Source:
    literal = "'" + schema.replace("'", "''") + "'"
    query = f"SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = {literal}"  # noqa: S608
    return Source(f"{schema} {NUMBERING}", ["name", "last_value"], query)


def _rows(schema: str, table: Any, held: Sequence[Any]) -> Source:
    columns = [column["attname"] for column in held]
    only = "" if table["relkind"] == "p" else "ONLY "
    listed = ", ".join(map(quoted, columns))
    query = f"SELECT {listed} FROM {only}{quoted(schema)}.{quoted(table['relname'])}"  # noqa: S608
    return Source(f"{schema} {table['relname']}", columns, query)


_SCHEMAS: Final = """
SELECT n.nspname FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = $2 AND c.relkind = 'r'
WHERE starts_with(n.nspname, $1) ORDER BY n.nspname"""
_TABLES: Final = """
SELECT c.oid, c.relname, c.relkind::text AS relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname <> $2 AND c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition
    AND NOT EXISTS (
        SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY c.relname"""
_COLUMNS: Final = """
SELECT a.attname, ARRAY[t.typname::text, coalesce(u.typname::text, '')] AS types
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_type u ON u.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum"""
_HAS_COLUMN: Final = """
SELECT EXISTS (SELECT FROM information_schema.columns
    WHERE table_schema = $1 AND table_name = $2 AND column_name = $3)"""

"""Puts the tables of plugins back: where the plugin's steps are those of the backup, or none was done yet.

A schema that is not there is made by the steps that the backup holds. Everything happens in the caller's transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import asyncpg

from botmatrix.store.backup_file import BadBackup, Reader
from botmatrix.store.backup_rows import REFUSALS, fill
from botmatrix.store.backup_schemas import NUMBERING, quoted
from botmatrix.store.plugin_schemas import CREATE_MARKS, MARKS, PREFIX, lock_of

Connection = Any
_HELD: Final = {MARKS: "botmatrix_held_steps", NUMBERING: "botmatrix_held_numbering"}
"""What the file says of a schema -> the table of this transaction that it goes to."""


class SchemasBack:
    """Takes the tables in the order of the file; `end` finishes the last schema. Raises `BadBackup`."""

    def __init__(self, connection: Connection, reader: Reader) -> None:
        self._connection, self._reader = connection, reader
        self._schema = ""
        self._after: list[str] = []

    async def take(self, name: str, columns: list[str]) -> None:
        """Put the rows of this table, which come next in the file, in the place of those that are there."""
        schema, _, table = name.partition(" ")
        if schema != self._schema:
            await self.end()
            await self._begin(schema, table)
        place = ("pg_temp", _HELD[table]) if table in _HELD else (schema, table)
        await fill(self._connection, self._reader, name, place, columns)
        if table == MARKS:
            await self._agree()
        elif table == NUMBERING:
            await self._clear()

    async def end(self) -> None:
        """What was taken away for the time of filling comes back; numbering goes on where it was."""
        if not self._schema:
            return
        try:
            for statement in self._after:
                await self._connection.execute(statement)
            await self._connection.execute(_NUMBER.format(held=_HELD[NUMBERING]), self._schema)
        except REFUSALS as error:
            raise self._bad(f"their rows do not fit together ({error})") from error
        await self._connection.execute("SET LOCAL search_path TO DEFAULT")
        self._schema, self._after = "", []

    async def _begin(self, schema: str, table: str) -> None:
        if table != MARKS or not schema.startswith(PREFIX) or schema.encode()[63:] or "\0" in schema:
            raise self._reader.bad(f"the tables of {schema!r} are not in order")
        self._schema = schema
        await self._connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", lock_of(schema))
        await self._connection.execute(_HOLD)

    async def _agree(self) -> None:
        """The steps that were done here are those of the backup; where none was, they are done now."""
        held = await self._connection.fetch(f"SELECT number, digest, step FROM {_HELD[MARKS]} ORDER BY number")  # noqa: S608
        marks = f"{quoted(self._schema)}.{quoted(MARKS)}"
        here = []
        if await self._connection.fetchval("SELECT to_regclass($1) IS NOT NULL", marks):
            await self._connection.execute(f"LOCK TABLE {marks} IN SHARE ROW EXCLUSIVE MODE")
            here = await self._connection.fetch(f"SELECT number, digest FROM {marks} ORDER BY number")  # noqa: S608
        if not here:
            await self._make(held, marks)
        elif why := _difference([tuple(row) for row in here], [(row["number"], row["digest"]) for row in held]):
            raise self._bad(why)
        await self._connection.execute(f"SET LOCAL search_path TO {quoted(self._schema)}")

    async def _make(self, held: Sequence[Any], marks: str) -> None:
        """Do the steps, as a worker would. Raises `BadBackup`."""
        lost = [row for row in held if row["step"] is None]
        if lost:
            raise self._bad(
                "they are not here yet, and the backup does not say how they are made (it was made before a worker of "
                "this version had the plugin): have a worker load the plugin first"
            )
        try:
            await self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(self._schema)}")
        except REFUSALS as error:
            raise self._bad(f"their schema can't be made ({error})") from error
        await self._connection.execute(CREATE_MARKS.format(schema=self._schema.replace('"', '""')))
        await self._connection.execute(f"SET LOCAL search_path TO {quoted(self._schema)}")
        await self._connection.execute(_STEP)
        mark = f"INSERT INTO {marks} (number, digest, step) VALUES ($1, $2, $3)"  # noqa: S608 - names are quoted
        for row in held:
            if hashlib.sha256(row["step"].encode()).hexdigest() != row["digest"]:
                raise self._bad(f"step {row['number']} is damaged")
            try:
                await self._connection.execute("SELECT pg_temp.botmatrix_step($1)", row["step"])
            except asyncpg.PostgresConnectionError:
                raise  # PostgreSQL went away
            except asyncpg.PostgresError as error:
                raise self._bad(f"step {row['number']} fails here: {error}") from error
            await self._connection.execute(mark, *row)

    async def _clear(self) -> None:
        """Empty the tables; what would judge or follow single rows is put aside until all are there."""
        tables = [
            name.partition(" ")[2] for name in self._reader.manifest.tables if name.startswith(f"{self._schema} ")
        ]
        here = {row["relname"] for row in await self._connection.fetch(_HERE, self._schema)}
        wanted = [one for one in tables if one not in _HELD]
        if missing := [one for one in wanted if one not in here]:
            raise self._bad(f"there is no table {missing[0]} here: no step makes it")
        try:
            await self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            for row in await self._connection.fetch(_ASIDE, self._schema):
                if row["aside"]:
                    await self._connection.execute(row["aside"])
                self._after.append(row["back"])
            if wanted:
                names = ", ".join(f"{quoted(self._schema)}.{quoted(one)}" for one in wanted)
                await self._connection.execute(f"TRUNCATE {names}")
        except REFUSALS as error:
            raise self._bad(f"they can't be emptied ({error})") from error

    def _bad(self, why: str) -> BadBackup:
        plugin = self._schema.removeprefix(PREFIX)
        return self._reader.bad(f"the tables of the plugin {plugin}: {why}. --without tables:{plugin} leaves them out")


def _difference(here: list[tuple[int, str]], held: list[tuple[int, str]]) -> str:
    """How these steps and those of the backup differ, in words; or empty."""
    if here == held:
        return ""
    if here == held[: len(here)]:
        return f"here {len(here)} of its steps are done, in the backup {len(held)}: bring a newer version of it first"
    if held == here[: len(held)]:
        return f"here {len(here)} of its steps are done, in the backup only {len(held)}: they are newer here"
    return "here its steps are other ones than in the backup"


_HOLD: Final = """
CREATE TEMP TABLE IF NOT EXISTS botmatrix_held_steps (number integer, digest text, step text) ON COMMIT DROP;
CREATE TEMP TABLE IF NOT EXISTS botmatrix_held_numbering (name text, last_value bigint) ON COMMIT DROP;
TRUNCATE botmatrix_held_steps, botmatrix_held_numbering"""
_STEP: Final = """
CREATE OR REPLACE FUNCTION pg_temp.botmatrix_step(step text) RETURNS void LANGUAGE plpgsql AS
    $$ BEGIN EXECUTE step; END $$"""
"""Inside a function no step can end the transaction that everything happens in."""
_HERE: Final = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p')"""
_ASIDE: Final = """
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', k.conrelid::regclass, k.conname) AS aside,
    format('ALTER TABLE %s ADD CONSTRAINT %I %s', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid)) AS back
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND k.contype = 'f' AND k.conparentid = 0
UNION ALL
SELECT format('ALTER TABLE %s DISABLE TRIGGER %I', t.tgrelid::regclass, t.tgname),
    format('ALTER TABLE %s ENABLE %s TRIGGER %I', t.tgrelid::regclass,
        CASE t.tgenabled WHEN 'A' THEN 'ALWAYS' ELSE '' END, t.tgname)
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgenabled IN ('O', 'A')
UNION ALL
SELECT '', format('REFRESH MATERIALIZED VIEW %s', c.oid::regclass)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind = 'm'"""
_NUMBER: Final = """
SELECT setval(format('%I.%I', s.schemaname, s.sequencename)::regclass, coalesce(h.last_value, s.start_value),
    h.last_value IS NOT NULL)
FROM {held} h JOIN pg_sequences s ON s.schemaname = $1 AND s.sequencename = h.name"""

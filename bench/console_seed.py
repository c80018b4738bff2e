"""A matrix with a console, and what fills it."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from typing import Final, Self

import httpx
import redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from bench.furnish import PREFIX, Furnished
from botmatrix.store import months
from botmatrix.store.grams import grams

PASSWORD: Final = "bench-password-of-loopback"  # noqa: S105 - guards nothing but this run
WORDS: Final = (
    "good morning boat harbour weather ticket printer workshop oar river tomorrow eight key 周末 爬山 读书 天气 你好"
).split()
DAYS: Final = 5
TEXTS: Final = 5_000
READY_SECONDS: Final = 60.0

POOL = "CREATE TEMPORARY TABLE pool (i int PRIMARY KEY, words text, grams int[])"
MESSAGES = """
INSERT INTO messages (id, at, event_id, direction, bot, conv, user_id, group_id, message_id, state, text, grams)
SELECT to_hex(n), CAST(:until AS timestamptz) - n * CAST(:step AS interval), '', 'in', 'qq:' || 10001 + n % 50,
       'group:' || 456 + n % 300, CAST(2001 + n % 7000 AS text), CAST(456 + n % 300 AS text), CAST(n AS text),
       'passed', words, grams
FROM generate_series(1, CAST(:count AS int)) AS n JOIN pool ON i = n % CAST(:texts AS int)"""
TRACES = """
INSERT INTO traces (event_id, at, bot, conv, user_id, group_id, kind, text, rule, worker, outcome, reason, parts)
SELECT to_hex(n), CAST(:until AS timestamptz) - n * CAST(:step AS interval), 'qq:' || 10001 + n % 50,
       'group:' || 456 + n % 300, CAST(2001 + n % 7000 AS text), CAST(456 + n % 300 AS text), 'message.group', words,
       '', 'bench', 1 + n % 5, '', '{}'
FROM generate_series(1, CAST(:count AS int)) AS n JOIN pool ON i = n % CAST(:texts AS int)"""
BOTS = """
INSERT INTO bots (platform, self_id, nickname) SELECT 'qq', CAST(100000 + n AS text), 'bot ' || n
FROM generate_series(1, CAST(:count AS int)) AS n ON CONFLICT DO NOTHING"""
INDEX = "CREATE INDEX messages_grams ON messages USING gin (grams)"


class Matrix(Furnished):
    """Nexus, worker, control and engines; the administrator's password is known. `console`: its address."""

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def _start_control(self) -> None:
        self.env["DEFAULT_ADMIN_PASSWORD"] = PASSWORD
        super()._start_control()

    @property
    def database_url(self) -> str:
        """PostgreSQL."""
        return self._postgres.url()

    def redis(self) -> redis.Redis:
        """A client of its Valkey."""
        valkey = next(part for part in self.parts if part.name == "valkey")
        client: redis.Redis = valkey.client()  # type: ignore[attr-defined]
        return client


async def fill(matrix: Matrix, *, bots: int, messages: int) -> None:
    """Bots, and as many messages and traces, of the last days."""
    _until_ready(matrix)
    _fill_bots(matrix, bots)
    engine = create_async_engine(matrix.database_url.replace("://", "+asyncpg://", 1))
    until, step = datetime.now(UTC), timedelta(days=DAYS) / max(1, messages)
    about = {"until": until, "step": step, "count": messages, "texts": TEXTS}
    async with engine.begin() as connection:
        await months.make(connection, [months.month_of(until - timedelta(days=day)) for day in range(DAYS + 1)])
        await connection.execute(text(POOL))
        await connection.execute(text("INSERT INTO pool VALUES (:i, :words, :grams)"), _pool())
        await connection.execute(text("DROP INDEX messages_grams"))
        await connection.execute(text(MESSAGES), about)
        await connection.execute(text("SET LOCAL maintenance_work_mem = '256MB'"))
        await connection.execute(text(INDEX))
        await connection.execute(text(TRACES), about)
        await connection.execute(text(BOTS), {"count": bots})
        await connection.execute(text("ANALYZE"))
    await engine.dispose()


def _until_ready(matrix: Matrix) -> None:
    """The tables are made by control."""
    deadline = time.monotonic() + READY_SECONDS
    while httpx.get(f"{matrix.console}/readyz").status_code != httpx.codes.OK:
        if time.monotonic() > deadline:
            raise RuntimeError("control is not ready")
        time.sleep(0.2)


def _pool() -> list[dict[str, object]]:
    rng = random.Random(3)
    lines = [" ".join(rng.choices(WORDS, k=rng.randint(3, 12))) + f" {at}" for at in range(TEXTS)]
    lines[7] += " xylophone"
    return [{"i": at, "words": line, "grams": grams(line)} for at, line in enumerate(lines)]


def _fill_bots(matrix: Matrix, count: int) -> None:
    client = matrix.redis()
    pipe = client.pipeline(transaction=False)
    for number in range(1, count + 1):
        name = f"qq:{100_000 + number}"
        pipe.sadd(PREFIX + "bots", name)
        about = ["state", "online", "nickname", f"bot {number}", "since", f"{time.time():.3f}", "received", str(number)]
        pipe.hset(PREFIX + f"bot:{name}", items=about)
    pipe.execute()
    client.close()

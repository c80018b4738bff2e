"""The embedded engines, started once for all tests of a process and ended with it."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from secrets import token_hex
from typing import Final

from botmatrix.config import Home
from botmatrix.embedded.postgres import Postgres
from botmatrix.embedded.process import Program, prepared
from botmatrix.embedded.valkey import Valkey
from botmatrix.errors import EngineUnavailable
from botmatrix.store.migrate import upgrade

PATIENCE: Final = 60.0
"""Seconds that an engine may take to answer."""


class Engines:
    """Valkey at once, PostgreSQL when a plugin keeps something for the first time. Data is gone at the end."""

    def __init__(self) -> None:
        self._home = Home(Path(tempfile.mkdtemp(prefix="botmatrix-sim-")))
        self._home.create()
        self._processes: list[tuple[subprocess.Popen[bytes], Program]] = []
        self._redis = self._database = ""
        atexit.register(self.close)

    async def redis(self) -> str:
        """URL of Valkey. Raises `EngineUnavailable`."""
        if not self._redis:
            engine = Valkey(self._home, token_hex(16))
            await self._start(engine)
            self._redis = str(engine.url)
        return self._redis

    async def database(self) -> str:
        """URL of a PostgreSQL with all tables. Raises `EngineUnavailable`."""
        if not self._database:
            engine = Postgres(self._home, token_hex(16), token_hex(16))
            await self._start(engine)
            await upgrade(str(engine.url), part="sim")
            self._database = str(engine.url)
        return self._database

    @property
    def has_database(self) -> bool:
        """Whether PostgreSQL was needed yet."""
        return bool(self._database)

    def close(self) -> None:
        """End both, and remove their data."""
        for process, program in self._processes:
            process.send_signal(program.stop_signal)
        for process, program in self._processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(program.grace)
            process.kill()
            process.wait()
        self._processes.clear()
        shutil.rmtree(self._home.root, ignore_errors=True)

    async def _start(self, engine: Valkey | Postgres) -> None:
        program = await engine.prepare()
        with (self._home.logs / f"{engine.name}.log").open("ab") as log:
            process = subprocess.Popen(  # noqa: ASYNC220, S603 - it outlives the event loop of one test
                program.argv,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=dict(program.env),
                cwd="/",
                start_new_session=True,
                preexec_fn=prepared(program, os.getpid()),
            )
        self._processes.append((process, program))
        if process.stdin is not None:
            process.stdin.write(program.stdin)
            process.stdin.close()
        try:
            async with asyncio.timeout(PATIENCE):
                while not await engine.ready():
                    if process.poll() is not None:
                        raise EngineUnavailable(engine.title, f"it ended at once: {self._last_words(engine.name)}")
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise EngineUnavailable(engine.title, f"no answer within {PATIENCE:g} s") from None

    def _last_words(self, name: str) -> str:
        return (self._home.logs / f"{name}.log").read_text(errors="replace")[-500:]


_engines: list[Engines] = []


def engines() -> Engines:
    """Those of this process."""
    if not _engines:
        _engines.append(Engines())
    return _engines[0]

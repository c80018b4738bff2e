"""A stage with workers on it, in this process or as processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from tests.conftest import ValkeyProcess
from tests.integration.worker.program import Obedient, make_worker
from tests.integration.worker.support import Stage, Troupe, until

from botmatrix.worker.options import Options

Running = Callable[..., AbstractAsyncContextManager[Obedient]]


@pytest.fixture
async def stage(redis_url: str) -> AsyncIterator[Stage]:
    stage = Stage(redis_url)
    yield stage
    await stage.redis.close()


@pytest.fixture
async def own_stage(own_valkey: ValkeyProcess) -> AsyncIterator[Stage]:
    """On a Valkey that the test may kill."""
    stage = Stage(own_valkey.url)
    yield stage
    await stage.redis.close()


@pytest.fixture
async def troupe(stage: Stage, tmp_path: Path) -> AsyncIterator[Troupe]:
    troupe = Troupe(stage, tmp_path)
    yield troupe
    await troupe.close()


@pytest.fixture
def running() -> Running:
    """Run a worker in this process for the length of a block; gives its handler."""

    @asynccontextmanager
    async def run(stage: Stage, options: Options) -> AsyncIterator[Obedient]:
        handler, stop = Obedient(), asyncio.Event()
        worker = make_worker(stage.url, options, handler, exit_after=60)
        task = asyncio.create_task(worker.run(stop))

        async def joined() -> bool:
            assert not task.done(), task.exception()
            return bool(await stage.presence(options.worker_id))

        await until(joined)
        try:
            yield handler
        finally:
            stop.set()
            await task

    return run

"""A gateway to knock at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import pytest
import uvloop
from tests.accepting import TokensOf
from tests.integration.gateway.peers import TOKEN, Stage

from botmatrix.nexus.timing import Timing


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop of production."""
    return {"uvloop": uvloop.new_event_loop}


OpenStage = Callable[..., Awaitable[Stage]]


@pytest.fixture
async def open_stage() -> AsyncIterator[OpenStage]:
    """Opens gateways with a timing, tokens and size limit of the test's choice; all are stopped afterwards."""
    opened: list[Stage] = []

    async def open_one(
        timing: Timing | None = None, *, tokens: TokensOf = lambda key: (TOKEN,), max_frame: int = 1 << 20
    ) -> Stage:
        stage = Stage(timing or Timing(greeting=3600), tokens, max_frame)
        await stage.gateway.start()
        opened.append(stage)
        return stage

    yield open_one
    for stage in opened:
        await stage.close()


@pytest.fixture
async def stage(open_stage: OpenStage) -> Stage:
    """A gateway with the timing of production, but without greetings."""
    return await open_stage()

"""Links of real applications: refused, broken and made again, from either side."""

from __future__ import annotations

import asyncio

import pytest
from tests.interop import matrices
from tests.interop.conftest import BOT_TOKEN, BOTS, WORKER_TOKEN, Matrix, python_app
from tests.interop.matrices import NewMatrix
from tests.interop.simulator import Manner, SimulatedBot, bots

WHO_COMES_BACK = ("nonebot2_dialled", "nonebot2_dialling", "aiocqhttp_dialled", "koishi_dialled")
"""Koishi does not dial again after its link was closed."""


async def converse(pair: list[SimulatedBot], tag: str) -> None:
    verdicts = await asyncio.gather(*(bot.converse(tag) for bot in pair))
    assert not any(verdicts), verdicts


@pytest.mark.parametrize("kind", WHO_COMES_BACK)
async def test_whoever_goes_and_comes_back_is_served_as_before(new_matrix: NewMatrix, kind: str) -> None:
    matrix: Matrix = getattr(matrices, kind)(new_matrix)
    async with bots(BOTS, matrix.roads, BOT_TOKEN, Manner()) as pair:
        await matrix.attached()
        await converse(pair, "at-first")
        await _bots_go_and_come(matrix, pair)
        await converse(pair, "bots-again")
        await _application_goes_and_comes(matrix)
        await converse(pair, "application-again")
        await _nexus_goes_and_comes(matrix, pair)
        await converse(pair, "nexus-again")


async def _bots_go_and_come(matrix: Matrix, pair: list[SimulatedBot]) -> None:
    for bot in pair:
        await bot.hang_up()
    for bot in pair:
        await bot.online()
    await matrix.attached()


async def _application_goes_and_comes(matrix: Matrix) -> None:
    assert matrix.app is not None
    await asyncio.to_thread(matrix.app.stop, 3)
    await matrix.until(lambda: not matrix.redis.exists("botmatrix:worker:app"))
    matrix.app.start()
    await matrix.attached()


async def _nexus_goes_and_comes(matrix: Matrix, pair: list[SimulatedBot]) -> None:
    await asyncio.to_thread(matrix.nexus.stop)
    assert not matrix.redis.exists("botmatrix:worker:app")
    for bot in pair:
        await bot.offline()
    await asyncio.to_thread(matrix.start)
    for bot in pair:
        await bot.online()
    await matrix.attached()


@pytest.mark.parametrize("kind", ["nonebot2_dialled", "aiocqhttp_dialled"])
async def test_an_application_that_refuses_the_token_is_shown_with_the_cure(new_matrix: NewMatrix, kind: str) -> None:
    matrix: Matrix = getattr(matrices, kind)(new_matrix, token="wrong-token")
    async with bots(BOTS, matrix.roads, BOT_TOKEN, Manner()):
        words = "HTTP 403: it refuses the token, or it does not know this bot"
        await matrix.until(lambda: [line["error"] for line in matrix.lines()] == [words, words])
    assert "wrong-token" not in matrix.nexus.tail(10_000)


@pytest.mark.parametrize("kind", ["nonebot2_dialling", "koishi_dialling"])
async def test_an_application_with_a_wrong_token_is_not_let_in(new_matrix: NewMatrix, kind: str) -> None:
    matrix: Matrix = getattr(matrices, kind)(new_matrix, token="wrong-token")
    async with bots(BOTS, matrix.roads, BOT_TOKEN, Manner()):
        await matrix.until(lambda: bool(matrix.redis.keys("botmatrix:handshakes*")))
    assert not matrix.redis.exists("botmatrix:worker:app")


async def test_an_application_may_show_its_token_in_the_address(new_matrix: NewMatrix) -> None:
    command = python_app("nonebot2")
    matrix = new_matrix()
    matrix.start()
    matrix.start_app(command, FORWARD=matrix.roads_for_apps(WORKER_TOKEN))
    assert not any(await matrix.try_out(Manner()))
    assert WORKER_TOKEN not in matrix.nexus.tail(10_000)


async def test_a_burst_to_the_slowest_application_loses_nothing(new_matrix: NewMatrix) -> None:
    matrix = matrices.nonebot2_dialling(new_matrix)
    async with bots(BOTS, matrix.roads, BOT_TOKEN, Manner()) as pair:
        await matrix.attached()
        assert not await pair[0].converse("burst", pings=2000, seconds=120)

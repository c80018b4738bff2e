"""What a plugin's process says, matched to what it was asked."""

from __future__ import annotations

import asyncio

import pytest

from botmatrix.worker.plugins.isolated.exchange import APART, MOST_WAITING, Exchange, PluginDown, PluginError
from botmatrix.worker.plugins.isolated.figures import Figures
from botmatrix.worker.plugins.isolated.lines import MOST_ACTIONS


@pytest.fixture
def exchange() -> Exchange:
    exchange = Exchange(Figures())
    exchange.write = lambda _line: True
    return exchange


def said(id: str, actions: int, *, words: str = "hi", more: bool = True) -> bytes:
    listed = ",".join([f'{{"type":"reply","text":"{words}"}}'] * actions)
    return f'{{"id":"{id}","ok":true,"actions":[{listed}],"more":{str(more).lower()}}}'.encode()


async def test_of_use_are_answers_that_do_something_or_are_the_last(exchange: Exchange) -> None:
    with exchange.ask("on_message", {}, id="e") as pending:
        assert exchange.received(said(pending.id, 1))
        assert not exchange.received(said(pending.id, 0))
        assert not exchange.received(said(pending.id, MOST_ACTIONS))  # one more than it may
        assert exchange.received(said(pending.id, 0, more=False))
    assert not exchange.received(said(pending.id, 1))
    assert not exchange.received(b"{nothing}")


async def test_who_says_more_than_can_be_done_fails_and_takes_no_more_memory(exchange: Exchange) -> None:
    line = said("?", 1, words="x" * 500_000)
    with exchange.ask("on_message", {}, id="e") as pending:
        line = line.replace(b"?", pending.id.encode())
        taken = [exchange.received(line) for _ in range(100)]
        assert taken.count(True) == MOST_WAITING // len(line) + 1
        for _ in range(MOST_WAITING // len(line)):
            assert len((await pending.next(5)).actions) == 1
        with pytest.raises(PluginError, match="more than could be done"):
            await pending.next(5)


async def test_when_the_process_ends_those_that_wait_fail_one_after_the_other(exchange: Exchange) -> None:
    loop, failed = asyncio.get_running_loop(), []

    async def fails() -> None:
        with exchange.ask("on_message", {}, id="e") as pending, pytest.raises(PluginDown, match="ended"):
            await pending.next(5)
        failed.append(loop.time())

    async def waits() -> None:
        await exchange.clear()
        failed.append(loop.time())

    tasks = [asyncio.create_task(fails()) for _ in range(5)]
    await asyncio.sleep(0)
    began = loop.time()
    exchange.lost("ended")
    tasks += [asyncio.create_task(waits()) for _ in range(5)]
    async with asyncio.timeout(5):
        await asyncio.gather(*tasks)
    assert failed[4] - began > 4.9 * APART
    assert failed[-1] - began > 9.9 * APART
    exchange.write = lambda _line: True
    with pytest.raises(StopIteration):
        exchange.clear().send(None)  # nothing to wait for

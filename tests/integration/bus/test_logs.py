"""Lines of the log on their way into Redis."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import pytest
import structlog
from tests.conftest import ValkeyProcess
from tests.pace import slowness

from botmatrix import log
from botmatrix.bus.client import Client
from botmatrix.bus.keys import Keys
from botmatrix.bus.logs import KEPT, WAITING, Logs, LogShipper
from botmatrix.log import Line

KEYS = Keys()


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    log.copy_to(None)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def line(text: str, level: str = "info") -> Line:
    return Line(time.time(), "nexus", level, text)


async def test_what_a_part_logs_is_read_by_another_without_its_secrets(redis_url: str) -> None:
    shipper = LogShipper(redis_url, KEYS)
    log.configure(part="nexus", secrets=["hunter2hunter2"])
    log.copy_to(shipper.put)
    shipper.start()
    structlog.get_logger().warning("refused", token="hunter2hunter2", url="ws://x/?access_token=abcdef", bot="qq:1")
    logging.getLogger("library").warning("half a character: \udcff")
    structlog.get_logger().debug("too fine for the level")
    shipper.stop()
    client = Client(redis_url, name="test")
    first, second = await Logs(client, KEYS).newest()
    assert (first.part, first.level) == ("nexus", "warning")
    assert first.text == "refused  token=***  url=ws://x/?access_token=***  bot=qq:1"
    assert second.text.startswith("half a character: ")
    assert await Logs(client, KEYS).after(first.id) == [second]
    await client.close()


async def test_a_flood_costs_nothing_and_says_what_was_left_out(redis_url: str) -> None:
    shipper = LogShipper(redis_url, KEYS)
    began = time.process_time()
    for number in range(100_000):
        shipper.put(line(str(number)))
    assert time.process_time() - began < 2 * slowness()
    assert shipper.left_out == 100_000 - WAITING
    shipper.start()
    shipper.stop()
    client = Client(redis_url, name="test")
    found = await Logs(client, KEYS).newest()
    assert found[0].text == "98000", "the newest are kept"
    assert [one.text for one in found if "98000 lines of this part were left out" in one.text]
    assert found[-1].text == "99999", "what waits at the end is sent"
    assert shipper.left_out == 0
    await client.close()


async def test_the_stream_is_bounded(redis_url: str) -> None:
    shipper = LogShipper(redis_url, KEYS)
    for _ in range(20):
        for number in range(400):
            shipper.put(line(str(number)))
        shipper._send()
    shipper.stop()
    client = Client(redis_url, name="test")
    assert KEPT <= await client.call("XLEN", KEYS.logs) < KEPT + 200
    await client.close()


async def test_while_redis_is_away_nothing_waits_for_it(own_valkey: ValkeyProcess) -> None:
    shipper = LogShipper(own_valkey.url, KEYS)
    own_valkey.stop(kill=True)
    shipper.put(line("lost"))
    shipper._send()
    assert shipper.left_out == 1
    own_valkey.start()
    shipper.put(line("back"))
    shipper._send()
    client = Client(own_valkey.url, name="test")
    assert [one.text[:7] for one in await Logs(client, KEYS).newest()] == ["back", "1 lines"]
    await client.close()
    shipper.stop()

"""What a worker says of the time it takes: until settled, before its handler, in it, each apart."""

from __future__ import annotations

from tests.integration.worker.conftest import Running
from tests.integration.worker.support import Stage, event_of, fast_options, until


async def test_waiting_handling_and_response_are_told_apart(stage: Stage, running: Running) -> None:
    async with running(stage, fast_options("w1", concurrency=1, announce=0.1)):
        await stage.put("w1", *(event_of(0, user=user, sleep=0.4) for user in range(1, 5)))
        await stage.until_sent(4)

        async def announced() -> bool:  # an event is handled a moment before it is settled
            said = await stage.presence("w1")
            apart = sum(float(said.get(name, "0")) for name in ("handling_ms", "waiting_ms"))
            return said.get("handled") == "4" and float(said["response_ms"]) >= apart - 1

        await until(announced)
        said = await stage.presence("w1")
    handling, waiting, response, p95 = (
        float(said[name]) for name in ("handling_ms", "waiting_ms", "response_ms", "response_p95_ms")
    )
    assert handling >= 400
    assert handling < waiting < 2.2 * handling, "1.5 times: 0, 1, 2 and 3 handlings behind the others"
    assert response < 1.2 * (waiting + handling)
    assert p95 > 1.3 * response, "the last one waited for all others"


async def test_what_nobody_received_lately_has_no_response_time(stage: Stage, running: Running) -> None:
    async with running(stage, fast_options("w1", announce=0.1)):
        await stage.put_raw("w1", b"{")
        await stage.until_settled("w1")
        assert float((await stage.presence("w1"))["response_ms"]) == 0

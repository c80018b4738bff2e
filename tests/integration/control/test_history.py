"""From reports to the tables, and what REST says of them."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from tests.integration.control.conftest import ControlOptions, LogIn
from tests.integration.control.reports import BOT, acted, heard, ran, report
from tests.postgres import PostgresProcess

from botmatrix.bus.trace_parts import Heard, Repeated, Step
from botmatrix.control.parts import Parts, build
from botmatrix.control.tracing import writer
from botmatrix.errors import EngineUnavailable
from botmatrix.store.months import partitions
from botmatrix.store.tables import Role


async def ask(client: httpx.AsyncClient, path: str, **query: Any) -> dict[str, Any]:
    answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def why(client: httpx.AsyncClient, part: Heard) -> tuple[str, str]:
    trace = (await ask(client, f"/api/traces/{part.id}"))["trace"]
    return trace["outcome"], trace["why"]


async def test_an_answered_message_has_a_road_with_times_and_is_in_the_history(
    parts: Parts, log_in: LogIn, options: ControlOptions
) -> None:
    part = heard("what time is it", rule="group_456")
    await report(options.redis_url, part, ran(part, Step("clock.now", 1.5, "answered"), actions=1), acted(part))
    assert await parts.trace_writer.write() == 3
    client = await log_in(Role.OPERATOR)
    trace = (await ask(client, f"/api/traces/{part.id}"))["trace"]
    assert (trace["outcome"], trace["why"], trace["rule"], trace["worker"]) == ("answered", "", "group_456", "w1")
    said = [(station["where"], station["what"]) for station in trace["stations"]]
    assert said == [
        ("n1.00000000", f"received from {BOT}"),
        ("n1.00000000", "put on the lane of w1 by rule group_456"),
        ("w1", "taken up"),
        ("w1", "clock.now: answered"),
        ("w1", "handled, done"),
        (BOT, "send_msg “the answer”: done"),
    ]
    assert [station["took"] for station in trace["stations"]] == [-1, -1, 2, 1.5, 3, 3]
    found = (await ask(client, "/api/messages"))["messages"]
    assert [(one["direction"], one["text"], one["state"]) for one in found] == [
        ("out", "the answer", "done"),
        ("in", "what time is it", "passed"),
    ]
    assert {one["event_id"] for one in found} == {part.id}


SILENCE: dict[str, tuple[dict[str, Any], str]] = {
    "nobody": (dict(quiet="no_match"), "No plugin of worker w1 listens to this."),
    "own": (dict(quiet="own"), "It is the bot's own message, which triggers no plugin."),
    "answer": (dict(quiet="answer"), "It answers a question of a plugin, which had asked."),
    "permission": (dict(quiet="permission"), "The person may not use this command."),
    "silent": (dict(steps=[Step("log.all", 0.1, "silent")]), "log.all handled it and gave no answer."),
    "dead": (dict(outcome="dead", reason="handler_error: a.b"), "Handling it failed: handler_error: a.b."),
    "retry": (dict(outcome="retry", reason="rate limited"), "It is being tried again: rate limited."),
}


@pytest.mark.parametrize("name", SILENCE)
async def test_silence_of_a_worker_is_explained(
    name: str, parts: Parts, log_in: LogIn, options: ControlOptions
) -> None:
    fields, words = SILENCE[name]
    part = heard()
    await report(options.redis_url, part, ran(part, **fields))
    await parts.trace_writer.write()
    assert (await why(await log_in(Role.OPERATOR), part))[1] == words


async def test_silence_elsewhere_is_explained(parts: Parts, log_in: LogIn, options: ControlOptions) -> None:
    closed = heard(reason="system_closed", lane="")
    ruled = heard(reason="rule", detail="user_123", lane="")
    limited = heard(reason="limited_user", detail="more than 20 a minute", lane="")
    parked, waiting, again = heard(lane="default"), heard(), heard()
    expired, refused, lost = heard(), heard(), heard()
    answers = [acted(expired, "EXPIRED"), acted(refused, "FAILED", words="muted", code=120)]
    answers.append(acted(lost, "UNKNOWN", words="no answer from the bot"))
    events = (closed, ruled, limited, parked, waiting, again, expired, refused, lost)
    await report(options.redis_url, *events, Repeated(again.id, again.t), *answers)
    await parts.trace_writer.write()
    client = await log_in(Role.OPERATOR)
    assert [await why(client, part) for part in events] == [
        ("blocked", "It was blocked: the system is closed."),
        ("blocked", "It was blocked: a routing rule blocks it (user_123)."),
        ("blocked", "It was blocked: the user has said too much (more than 20 a minute)."),
        ("under_way", "It waits: no worker takes events now."),
        ("under_way", "It waits on the lane of worker w1, which has not handled it yet."),
        ("duplicate", "The platform had sent the same event before, so it was not handled again."),
        ("failed", "There was an answer, but its time passed before the bot could take it."),
        ("failed", "There was an answer, but the platform refused it: muted (120)."),
        ("failed", "There was an answer; whether it arrived is unknown: no answer from the bot."),
    ]
    blocked = await ask(client, "/api/traces", outcome="blocked")
    assert blocked["total"] == 3


async def test_copies_of_a_message_are_one_message_and_a_trace_each(
    parts: Parts, log_in: LogIn, options: ControlOptions
) -> None:
    first = heard(copy=True)
    second = heard(copy=True, lane="w2", t=first.t)
    waiting = heard(lane="wait:w9", rule="user_123")
    await report(options.redis_url, first, second, waiting)
    await parts.trace_writer.write()
    client = await log_in(Role.OPERATOR)
    assert (await ask(client, "/api/messages"))["total"] == 2
    assert (await ask(client, "/api/traces"))["total"] == 3
    assert (await why(client, waiting))[1] == "It waits: the target of rule user_123 is away."


async def test_reports_that_come_later_or_twice_complete_the_same_record(
    parts: Parts, log_in: LogIn, options: ControlOptions
) -> None:
    part = heard()
    await report(options.redis_url, part)
    await parts.trace_writer.write()
    for _ in range(2):
        await report(options.redis_url, ran(part, Step("a.b", 1, "answered"), actions=1), acted(part, "UNKNOWN"))
        await parts.trace_writer.write()
    await report(options.redis_url, acted(part, "DONE"))
    await parts.trace_writer.write()
    client = await log_in(Role.OPERATOR)
    trace = (await ask(client, f"/api/traces/{part.id}"))["trace"]
    assert (trace["text"], len(trace["parts"]), trace["why"]) == ("hello", 3, "")
    assert [one["state"] for one in (await ask(client, "/api/messages", direction="out"))["messages"]] == ["done"]


async def test_a_writer_that_is_killed_loses_nothing_and_writes_nothing_twice(
    parts: Parts, options: ControlOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    await report(options.redis_url, *(heard(f"first {number}") for number in range(20)))
    history = parts.trace_writer._history
    real = history._make_months

    async def killed(*_: Any) -> Any:
        raise asyncio.CancelledError

    monkeypatch.setattr(history, "_make_months", killed)
    with pytest.raises(asyncio.CancelledError):
        await parts.trace_writer.write()
    monkeypatch.setattr(history, "_make_months", real)
    await report(options.redis_url, *(heard(f"then {number}") for number in range(20)))
    other = build(options.current())
    try:
        rounds = await asyncio.gather(other.trace_writer.write(), parts.trace_writer.write())
        assert sorted(rows or 0 for rows in rounds) == [0, 80], "one writes, the other one lets it"
    finally:
        await other.close()
    async with parts.database.connection() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM messages")) == 40
        assert await connection.scalar(text("SELECT count(*) FROM traces")) == 40


async def test_a_round_stores_no_more_than_its_rows_and_the_rest_in_the_next(
    parts: Parts, options: ControlOptions
) -> None:
    await report(options.redis_url, *(heard(f"number {number}") for number in range(1200)))
    rounds = []
    while rows := await parts.trace_writer.write():
        rounds.append(rows)
    assert sum(rounds) == 2400
    assert max(rounds) <= writer.ROWS
    assert len(rounds) <= 4


async def test_postgresql_away_loses_nothing_and_heals(options: ControlOptions, own_postgres: PostgresProcess) -> None:
    from botmatrix.store.migrate import upgrade

    options.database_url = own_postgres.url()
    await upgrade(options.database_url, part="tests")
    parts = build(options.current())
    try:
        own_postgres.stop(kill=True)
        await report(options.redis_url, heard())
        with pytest.raises(EngineUnavailable):
            await parts.trace_writer.write()
        await asyncio.to_thread(own_postgres.start)
        assert await parts.trace_writer.write() == 2
    finally:
        await parts.close()


async def test_a_redis_that_lost_its_data_is_read_from_its_beginning(parts: Parts, options: ControlOptions) -> None:
    async with parts.database.connection() as connection:
        await connection.execute(text("INSERT INTO trace_position VALUES (1, '9999999999999-0')"))
    await report(options.redis_url, heard())
    assert await parts.trace_writer.write() == 2


@pytest.mark.parametrize(
    ("q", "found"),
    [
        *[("weather", 1), ("WEATHER", 1), ("ther pa", 1), ("天气", 1), ("天", 1), ("100%", 1), ("a_b", 1)],
        *[("nothing", 0), ("e", 3), ("%", 1), ("\\", 0), ("\0", 4)],
    ],
)
async def test_a_search_finds_any_part_of_a_text(
    q: str, found: int, parts: Parts, log_in: LogIn, options: ControlOptions
) -> None:
    texts = ("the Weather Paris", "今天天气怎么样", "100% sure", "name a_b")
    await report(options.redis_url, *(heard(one) for one in texts))
    await parts.trace_writer.write()
    client = await log_in(Role.OPERATOR)
    assert (await ask(client, "/api/messages", q=q))["total"] == found
    assert (await ask(client, "/api/traces", q=q))["total"] == found


async def test_filters_and_times_and_pages(parts: Parts, log_in: LogIn, options: ControlOptions) -> None:
    old, other = heard("old", ago=3 * 86_400), heard("other", user="8", conv="private:8", group="")
    await report(options.redis_url, old, other, *(heard(f"n{number}") for number in range(5)))
    await parts.trace_writer.write()
    client = await log_in(Role.OPERATOR)
    for path, name in (("/api/messages", "messages"), ("/api/traces", "traces")):
        assert (await ask(client, path))["total"] == 6, "of the last day unless asked"
        since = (datetime.now(UTC) - timedelta(days=4)).isoformat()
        assert (await ask(client, path, **{"from": since}))["total"] == 7
        assert (await ask(client, path, user="8"))["total"] == 1
        assert (await ask(client, path, group="456"))["total"] == 5
        assert (await ask(client, path, bot="qq:2"))["total"] == 0
        page = await ask(client, path, group="456", sort="at", page=2, size=2)
        assert [one["text"] for one in page[name]] == ["n2", "n3"]
        for bad in ({"from": "x"}, {"from": "2026-01-02", "to": "2026-01-01"}, {"to": "9" * 30}):
            assert (await client.get(path, params=bad)).status_code == 422, bad
        assert (await ask(client, path, page=500_000))[name] == []
    assert (await client.get("/api/traces/unknown")).status_code == 404
    assert (await client.get("/api/traces/" + "0" * 24)).status_code == 404


async def test_what_is_past_its_time_goes_and_next_month_is_ready(parts: Parts, options: ControlOptions) -> None:
    old, older = heard("old", ago=20 * 86_400), heard("older", ago=80 * 86_400)
    await report(options.redis_url, heard(), old, older)
    await parts.trace_writer.write()
    now = datetime.now(UTC)
    ahead = (now.replace(day=1) + timedelta(days=32)).strftime("%Y_%m")
    async with parts.database.connection() as connection:
        assert {f"messages_{ahead}", f"traces_{ahead}"} <= set(await partitions(connection))
    parts.trace_writer._days = dataclasses.replace(parts.settings, message_days=30, trace_days=14)
    assert await parts.trace_writer.forget()
    async with parts.database.connection() as connection:
        assert set(await connection.scalars(text("SELECT text FROM messages"))) == {"hello", "old"}
        assert set(await connection.scalars(text("SELECT text FROM traces"))) == {"hello"}
        assert f"messages_{(now - timedelta(days=80)):%Y_%m}" not in await partitions(connection)


async def test_nothing_is_kept_for_no_days(parts: Parts, options: ControlOptions) -> None:
    parts.trace_writer._days = dataclasses.replace(parts.settings, message_days=0, trace_days=0)
    await report(options.redis_url, heard())
    assert await parts.trace_writer.write() == 0
    async with parts.database.connection() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM messages")) == 0


async def test_hostile_reports_are_stored_or_left_out(parts: Parts, log_in: LogIn, options: ControlOptions) -> None:
    nul, future = heard("a\0b", user="1\0"), heard("later", ago=-10 * 86_400)
    strange = heard(id="no id")
    await report(options.redis_url, nul, future, strange, ran(nul, reason="x\0y"))
    await parts.redis.call("XADD", "botmatrix:trace", "*", "parts", b"\xff{", "other", "1")
    assert await parts.trace_writer.write() == 2
    client = await log_in(Role.OPERATOR)
    trace = (await ask(client, f"/api/traces/{nul.id}"))["trace"]
    assert (trace["text"], trace["user_id"]) == ("a\N{REPLACEMENT CHARACTER}b", "1\N{REPLACEMENT CHARACTER}")


async def test_who_may_only_look_does_not_read_what_people_write(log_in: LogIn) -> None:
    client = await log_in(Role.VIEWER)
    for path in ("/api/messages", "/api/traces", "/api/traces/" + "0" * 24):
        assert (await client.get(path)).status_code == 403

"""Alerts: raised once, ended once, told to a webhook or through a bot, by one of several control processes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from tests.conftest import ValkeyProcess
from tests.integration.control.conftest import ControlOptions
from tests.integration.control.test_resources import KEYS, put_bot, put_letter, put_nexus

from botmatrix.config import Home
from botmatrix.control.parts import Parts, build


class Hook:
    """A webhook that remembers what it was told; answers `status`."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.status = 204
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length:")[2].split()[0])
        self.told.append(json.loads(await reader.readexactly(length)))
        writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    made = Hook()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/secret-path"
    yield made
    server.close()
    await server.wait_closed()


class MailServer:
    """Speaks as much SMTP as a mail needs."""

    def __init__(self) -> None:
        self.mails: list[str] = []
        self.accounts: list[str] = []
        self.recipients: list[str] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := (await reader.readline()).decode():
            verb = line[:4].upper()
            if verb == "AUTH":
                self.accounts.append(line.split()[-1])
            if verb == "RCPT":
                self.recipients.append(line.partition("<")[2].partition(">")[0])
            if verb == "DATA":
                writer.write(b"354 go on\r\n")
                self.mails.append((await reader.readuntil(b"\r\n.\r\n")).decode())
            answers = {"EHLO": b"250-here\r\n250 AUTH PLAIN\r\n", "AUTH": b"235 fine\r\n", "QUIT": b"221 bye\r\n"}
            writer.write(answers.get(verb, b"250 fine\r\n"))
        writer.close()


@pytest.fixture
async def mail_server() -> AsyncIterator[MailServer]:
    made = MailServer()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


async def create(owner: httpx.AsyncClient, kind: str, threshold: float, **more: Any) -> dict[str, Any]:
    body = {"action": "create", "name": f"my {kind}", "kind": kind, "threshold": threshold, **more}
    answer = await owner.post("/api/alerts", json=body)
    assert answer.status_code == 200, answer.text
    rule: dict[str, Any] = answer.json()["rule"]
    return rule


async def alerts(owner: httpx.AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await owner.get("/api/alerts")).json()["alerts"]
    return found


async def test_an_alert_is_raised_once_told_once_and_ended_once(
    owner: httpx.AsyncClient, parts: Parts, hook: Hook
) -> None:
    await create(owner, "dead_letters", 1, webhook=hook.url)
    for _ in range(2):
        await put_letter(parts, "raised")
    for _ in range(3):
        await parts.alert_keeper.look()
        await parts.alert_keeper.tell()
    (one,) = await alerts(owner)
    assert (one["message"], one["ended_at"], one["told"]) == ("there are 2 dead letters, more than 1", None, True)
    await parts.redis.call("DEL", KEYS.dead)
    for _ in range(3):
        await parts.alert_keeper.look()
        await parts.alert_keeper.tell()
    assert [(told["state"], told["kind"]) for told in hook.told] == [
        ("raised", "dead_letters"),
        ("ended", "dead_letters"),
    ]
    assert hook.told[0]["text"] == "[ALERT] my dead_letters: there are 2 dead letters, more than 1"
    assert (await alerts(owner))[0]["ended_at"] is not None


async def test_each_bot_that_left_is_an_alert_but_not_those_long_gone(owner: httpx.AsyncClient, parts: Parts) -> None:
    await put_nexus(parts, "n1.aa")
    long_ago, lately = str(time.time() - 9000), str(time.time() + 1)
    await put_bot(parts, "qq:0", "n1.aa", state="offline", since=long_ago)
    await create(owner, "bot_offline", 60)
    await create(owner, "bot_offline", 60, subject="qq:0")
    await put_bot(parts, "qq:1", "n1.aa", state="online", since=lately)
    await put_bot(parts, "qq:2", "n1.aa", state="offline", since=lately)
    await parts.alert_keeper.look()
    assert [one["subject"] for one in await alerts(owner)] == ["qq:0"], "only the rule that names it waits for it"
    await parts.alerts.delete(2)
    async with parts.database.connection() as connection:
        await connection.execute(text("UPDATE alert_rules SET created_at = now() - interval '1 hour'"))
    left = str(time.time() - 100)
    await put_bot(parts, "qq:1", "gone.nexus", state="online", since=left)
    await put_bot(parts, "qq:2", "n1.aa", state="offline", since=left)
    await parts.alert_keeper.look()
    assert sorted(one["subject"] for one in await alerts(owner)) == ["qq:1", "qq:2"]
    await put_bot(parts, "qq:2", "n1.aa", state="online", since=left)
    await parts.alert_keeper.look()
    assert [one["subject"] for one in await alerts(owner) if one["ended_at"] is None] == ["qq:1"]


async def test_too_few_workers_and_long_queues_are_noticed(owner: httpx.AsyncClient, parts: Parts) -> None:
    await create(owner, "too_few_workers", 1, subject="gpu")
    await create(owner, "queue_depth", 2)
    await parts.presence.announce("w1", {"pool": "default"})
    for _ in range(3):
        await parts.redis.call("XADD", KEYS.lane("default"), "*", "payload", "{}")
    await parts.alert_keeper.look()
    assert sorted(one["message"] for one in await alerts(owner)) == [
        "0 workers are alive in the pool gpu, fewer than 1",
        "3 events wait in queues, more than 2",
    ]
    await parts.presence.announce("w2", {"pool": "gpu"})
    await parts.alert_keeper.look()
    assert [one["kind"] for one in await alerts(owner) if one["ended_at"] is None] == ["queue_depth"]


async def test_a_worker_that_goes_away_is_missed_until_it_is_back(owner: httpx.AsyncClient, parts: Parts) -> None:
    await put_nexus(parts, "n1.aa")
    await parts.redis.call("HSET", KEYS.seen_workers, "long-gone", str(time.time() - 90_000), "before", "1000")
    await create(owner, "worker_away", 5)
    for worker in ("w1", "w2"):
        await parts.presence.announce(worker, {"pool": "default"})
    await parts.alert_keeper.look()
    assert await alerts(owner) == []
    await parts.presence.leave("w1")
    async with parts.database.connection() as connection:
        await connection.execute(text("UPDATE alert_rules SET created_at = now() - interval '1 hour'"))
    await parts.redis.call("HSET", KEYS.seen_workers, "w1", str(time.time() - 6))
    await parts.alert_keeper.look()
    assert [(one["subject"], one["message"]) for one in await alerts(owner)] == [
        ("w1", "the worker w1 is away for more than 5 s")
    ]
    await parts.presence.announce("w1", {"pool": "default"})
    await parts.alert_keeper.look()
    assert [one["ended_at"] is None for one in await alerts(owner)] == [False]
    assert await parts.redis.call("HEXISTS", KEYS.seen_workers, "long-gone") == 0


async def test_an_alert_goes_out_by_mail(owner: httpx.AsyncClient, parts: Parts, mail_server: MailServer) -> None:
    rule = await create(owner, "too_few_workers", 1, mail="ops@example.com; boss@example.com")
    assert rule["mail"] == "ops@example.com, boss@example.com"
    without = await owner.post("/api/alerts", json={"action": "test", "id": rule["id"]})
    assert (without.status_code, without.json()["error"]) == (409, "not_told")
    assert "smtp_url" in without.json()["message"]
    url = f"smtp://me%40example.com:pass@127.0.0.1:{mail_server.port}"
    assert (await owner.post("/api/admin/config", json={"smtp_url": url})).status_code == 200
    await parts.alert_keeper.look()
    await parts.alert_keeper.tell()
    (mail,) = mail_server.mails
    assert "Subject: [ALERT] my too_few_workers: 0 workers are alive" in mail
    assert "From: me@example.com" in mail
    assert mail_server.recipients == ["ops@example.com", "boss@example.com"]
    assert len(mail_server.accounts) == 1
    assert (await alerts(owner))[0]["told"]
    assert "pass" not in (await owner.get("/api/admin/config")).text.replace("password", "")


async def test_of_several_control_processes_one_raises_and_one_tells(
    owner: httpx.AsyncClient, parts: Parts, hook: Hook
) -> None:
    others = [build(parts.current) for _ in range(3)]
    await create(owner, "too_few_workers", 1, webhook=hook.url)
    everybody = [parts, *others]
    await asyncio.gather(*(one.alert_keeper.look() for one in everybody))
    await parts.alert_keeper.look()
    await asyncio.gather(*(one.alert_keeper.tell() for one in everybody))
    assert len(await alerts(owner)) == len(hook.told) == 1
    for one in others:
        await one.close()


async def test_what_could_not_be_told_is_told_again_later(owner: httpx.AsyncClient, parts: Parts, hook: Hook) -> None:
    await create(owner, "too_few_workers", 1, webhook=hook.url)
    hook.status = 500
    await parts.alert_keeper.look()
    await parts.alert_keeper.tell()
    await parts.alert_keeper.tell()
    assert len(hook.told) == 1, "not at once"
    (one,) = await alerts(owner)
    assert (one["told"], one["problem"]) == (False, "the webhook answered 500")
    hook.status = 200
    async with parts.database.connection() as connection:
        await connection.execute(text("UPDATE alerts SET next_try_at = now()"))
    await parts.alert_keeper.tell()
    await parts.alert_keeper.tell()
    assert len(hook.told) == 2
    assert (await alerts(owner))[0]["told"]


async def test_redis_being_away_is_an_alert_and_nothing_else_is_then(
    own_valkey: ValkeyProcess, database_url: str, home: Any
) -> None:
    parts = build(ControlOptions(Home(home), own_valkey.url, database_url).current())
    await parts.alerts.create({"name": "r", "kind": "redis_away", "threshold": 0})
    await parts.alerts.create({"name": "w", "kind": "too_few_workers", "threshold": 1})
    own_valkey.stop(kill=True)
    await parts.alert_keeper.look()
    raised, _ = await parts.alerts.raised(limit=10, offset=0)
    assert [one.rule.kind for one in raised] == ["redis_away"]
    own_valkey.start()
    await parts.alert_keeper.look()
    raised, _ = await parts.alerts.raised(limit=10, offset=0)
    assert [(one.rule.kind, one.alert.ended_at is None) for one in raised] == [
        ("too_few_workers", True),
        ("redis_away", False),
    ]
    await parts.close()


async def test_a_rule_of_a_newer_version_is_listed_and_keeps_no_other_rule_from_acting(
    owner: httpx.AsyncClient, parts: Parts
) -> None:
    await parts.alerts.create({"name": "later", "kind": "moon_is_full", "threshold": 1})
    await create(owner, "too_few_workers", 1)
    await parts.alert_keeper.look()
    assert [one["kind"] for one in await alerts(owner)] == ["too_few_workers"]
    rules = (await owner.get("/api/alerts")).json()["rules"]
    assert [one["kind"] for one in rules] == ["moon_is_full", "too_few_workers"]


async def test_a_rule_is_tested_changed_and_deleted(owner: httpx.AsyncClient, hook: Hook) -> None:
    rule = await create(owner, "queue_depth", 5)
    untold = await owner.post("/api/alerts", json={"action": "test", "id": rule["id"]})
    assert (untold.status_code, untold.json()["error"]) == (409, "nobody_to_tell")
    edited = {"action": "edit", "id": rule["id"], "webhook": hook.url, "threshold": 7}
    changed = (await owner.post("/api/alerts", json=edited)).json()["rule"]
    assert (changed["threshold"], changed["name"]) == (7, "my queue_depth")
    assert "secret-path" not in changed["webhook"]
    assert (await owner.post("/api/alerts", json={"action": "test", "id": rule["id"]})).status_code == 200
    assert hook.told[0]["state"] == "test"
    assert "secret-path" not in (await owner.get("/api/audit")).text
    assert (await owner.post("/api/alerts", json={"action": "delete", "id": rule["id"]})).status_code == 200
    assert (await owner.post("/api/alerts", json={"action": "delete", "id": rule["id"]})).status_code == 404


async def test_a_bot_that_is_not_here_can_not_tell(owner: httpx.AsyncClient) -> None:
    rule = await create(owner, "queue_depth", 5, bot="qq:1", target="group:456")
    refused = await owner.post("/api/alerts", json={"action": "test", "id": rule["id"]})
    assert (refused.status_code, refused.json()["error"]) == (409, "not_told")
    assert "qq:1 could not say it" in refused.json()["message"]


@pytest.mark.parametrize(
    "body",
    [
        {"action": "create"},
        {"action": "create", "name": "x", "kind": "nothing", "threshold": 1},
        {"action": "create", "name": "x", "kind": "queue_depth", "threshold": -1},
        {"action": "create", "name": " ", "kind": "queue_depth", "threshold": 1},
        {"action": "create", "name": "x", "kind": "queue_depth", "threshold": 1, "webhook": "ftp://x"},
        {"action": "create", "name": "x", "kind": "queue_depth", "threshold": 1, "webhook": "http://[x"},
        {"action": "create", "name": "x", "kind": "queue_depth", "threshold": 1, "bot": "qq:1"},
        {"action": "create", "name": "x", "kind": "queue_depth", "threshold": 1, "bot": "qq:1", "target": "all:1"},
        {"action": "create", "name": "x", "kind": "queue_depth", "threshold": 1, "subject": "a\x00"},
        {"action": "create", "name": "x", "kind": "queue_depth", "threshold": 1, "mail": "nobody"},
        {"action": "create", "name": "x", "kind": "queue_depth", "threshold": 1, "mail": "a@b, c@d\nBcc: e@f"},
        {"action": "edit"},
    ],
)
async def test_a_rule_that_can_not_be_is_refused(owner: httpx.AsyncClient, body: dict[str, Any]) -> None:
    assert (await owner.post("/api/alerts", json=body)).status_code == 422

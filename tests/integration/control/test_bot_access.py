"""Tokens of bots' own, kicks, and configuration for clients, over REST."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import httpx
import pytest
import yaml
from tests.integration.control.conftest import LogIn
from tests.integration.control.test_resources import KEYS, put_bot, put_nexus

from botmatrix.bus.access import AccessBox, parse
from botmatrix.config.servers import onebot_app
from botmatrix.control.parts import Parts
from botmatrix.store.tables import Role

URL = "ws://127.0.0.1:3001/onebot/v11/ws"
APP_URL = "ws://127.0.0.1:3001/onebot/v11/app/10001"


async def published(parts: Parts) -> Any:
    kept = await AccessBox(parts.redis, KEYS).read()
    assert kept is not None
    return parse(kept.document)


async def test_a_token_is_shown_once_and_only_its_digest_is_published(owner: httpx.AsyncClient, parts: Parts) -> None:
    answer = (await owner.post("/api/bots/QQ:1/token", json={})).json()
    token = answer["token"]
    assert (answer["bot"], answer["own"], len(token) > 40) == ("qq:1", True, True)
    assert (await published(parts)).tokens == {"qq:1": hashlib.sha256(token.encode()).hexdigest()}
    for key in (KEYS.access, KEYS.access_version):
        assert token.encode() not in await parts.redis.call("GET", key)
    written = (await owner.get("/api/audit")).text
    assert token not in written
    assert "bot.token.generate" in written


async def test_a_token_may_be_chosen_and_taken_away(owner: httpx.AsyncClient, parts: Parts) -> None:
    chosen = {"action": "set", "token": "a-token-that-i-like", "client": "napcat"}
    answer = (await owner.post("/api/bots/qq:1/token", json=chosen)).json()
    assert answer["token"] == ""
    assert json.loads(answer["config"]["text"])["network"]["websocketClients"][0]["token"] == "a-token-that-i-like"
    assert (await published(parts)).tokens.keys() == {"qq:1"}
    assert (await owner.post("/api/bots/qq:1/token", json={"action": "clear"})).json()["own"] is False
    assert (await published(parts)).tokens == {}


@pytest.mark.parametrize("token", ["", "short", "with spaces in it", "пароль-пароль-пароль", "x" * 257])
async def test_a_token_that_can_not_be_is_refused(owner: httpx.AsyncClient, token: str) -> None:
    refused = await owner.post("/api/bots/qq:1/token", json={"action": "set", "token": token})
    assert refused.status_code == 422
    assert not token or token not in refused.text


async def test_a_kick_raises_its_count_and_may_ban(owner: httpx.AsyncClient, parts: Parts) -> None:
    await put_nexus(parts, "n1.aa")
    await put_bot(parts, "qq:1", "n1.aa", state="online")
    answer = (await owner.post("/api/bots/qq:1/kick", json={"ban": 60})).json()
    assert (answer["was"], answer["ban"]) == ("online", 60)
    access = await published(parts)
    assert (access.kicks, access.bans.keys()) == ({"qq:1": 1}, {"qq:1"})
    await owner.post("/api/bots/qq:1/kick", json={})
    access = await published(parts)
    assert (access.kicks, access.bans) == ({"qq:1": 2}, {})
    assert (await owner.post("/api/bots/qq:2/kick", json={})).status_code == 404


async def test_what_redis_lost_is_published_again(owner: httpx.AsyncClient, parts: Parts) -> None:
    await owner.post("/api/bots/qq:1/token", json={})
    before = await parts.redis.call("GET", KEYS.access)
    await parts.redis.call("FLUSHALL")
    await parts.access.publish()
    assert await parts.redis.call("GET", KEYS.access) == before


async def config(client: httpx.AsyncClient, name: str) -> dict[str, Any]:
    answer = await client.get(f"/api/bots/qq:10001/config?for={name}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_napcat_is_configured(owner: httpx.AsyncClient) -> None:
    made = await config(owner, "napcat")
    (link,) = json.loads(made["text"])["network"]["websocketClients"]
    assert made["file"] == "onebot11_10001.json"
    assert (link["url"], link["token"], link["enable"]) == (URL, "the-bot-token", True)
    assert link["messagePostFormat"] == "array"


async def test_llonebot_is_configured(owner: httpx.AsyncClient) -> None:
    (link,) = json.loads((await config(owner, "llonebot"))["text"])["ob11"]["connect"]
    assert (link["type"], link["url"], link["token"], link["enable"]) == ("ws-reverse", URL, "the-bot-token", True)


async def test_lagrange_is_configured(owner: httpx.AsyncClient) -> None:
    (link,) = json.loads((await config(owner, "lagrange"))["text"])["Implementations"]
    assert link["Type"] == "ReverseWebSocket"
    assert (link["Host"], link["Port"], link["Suffix"]) == ("127.0.0.1", 3001, "/onebot/v11/ws")
    assert link["AccessToken"] == "the-bot-token"


async def test_go_cqhttp_is_configured(owner: httpx.AsyncClient) -> None:
    (server,) = yaml.safe_load((await config(owner, "go-cqhttp"))["text"])["servers"]
    link = server["ws-reverse"]
    assert (link["universal"], link["middlewares"]["access-token"]) == (URL, "the-bot-token")


async def test_nonebot2_is_configured(owner: httpx.AsyncClient, parts: Parts) -> None:
    made = await config(owner, "nonebot2")
    lines = dict(line.split("=", 1) for line in made["text"].splitlines())
    token = str(parts.settings.worker_token)
    assert json.loads(lines["ONEBOT_V11_WS_URLS"]) == [APP_URL]
    assert json.loads(lines["ONEBOT_V11_ACCESS_TOKEN"]) == token
    assert onebot_app(made["onebot_app"]).bots == ("qq:10001",)
    assert (made["url"], made["complete"], made["onebot_app"]["token"]) == (APP_URL, True, token)


async def test_koishi_is_configured(owner: httpx.AsyncClient, parts: Parts) -> None:
    (adapter,) = yaml.safe_load((await config(owner, "koishi"))["text"])["plugins"].values()
    expected = {"protocol": "ws", "selfId": "10001", "endpoint": APP_URL, "token": str(parts.settings.worker_token)}
    assert adapter == expected


async def test_astrbot_waits_to_be_dialled(owner: httpx.AsyncClient) -> None:
    made = await config(owner, "astrbot")
    (platform,) = json.loads(made["text"])["platform"]
    app = onebot_app(made["onebot_app"])
    assert app.format == "array"
    assert app.url == f"ws://{platform['ws_reverse_host']}:{platform['ws_reverse_port']}/ws"
    assert (platform["type"], platform["ws_reverse_token"]) == ("aiocqhttp", str(app.token))


async def test_an_application_serves_a_bot_of_any_platform(owner: httpx.AsyncClient) -> None:
    answer = await owner.get("/api/bots/wechat:w1/config?for=nonebot2")
    assert "/onebot/v11/app/wechat:w1" in answer.json()["text"]


async def test_a_viewer_gets_an_applications_configuration_without_the_token(log_in: LogIn, parts: Parts) -> None:
    answer = await (await log_in(Role.VIEWER)).get("/api/bots/qq:10001/config?for=astrbot")
    assert str(parts.settings.worker_token) not in answer.text
    assert answer.json()["complete"] is False


async def test_a_viewer_gets_the_configuration_without_the_token(log_in: LogIn) -> None:
    made = await config(await log_in(Role.VIEWER), "napcat")
    assert "the-bot-token" not in made["text"]
    assert made["complete"] is False
    assert (await config(await log_in(Role.OPERATOR), "napcat"))["complete"] is True


async def test_a_bot_with_a_token_of_its_own_is_not_given_the_common_one(owner: httpx.AsyncClient) -> None:
    await owner.post("/api/bots/qq:10001/token", json={})
    made = await config(owner, "lagrange")
    assert "the-bot-token" not in made["text"]
    assert made["complete"] is False


async def test_a_client_that_is_not_known_is_refused(owner: httpx.AsyncClient) -> None:
    assert (await owner.get("/api/bots/qq:1/config?for=notepad")).status_code == 422
    assert (await owner.get("/api/bots/telegram:1/config?for=napcat")).status_code == 409

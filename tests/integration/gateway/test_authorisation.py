"""One gate for all routes: tokens, origins, paths, and how often a bot may come."""

from __future__ import annotations

import logging

import pytest
from tests.integration.gateway.conftest import OpenStage
from tests.integration.gateway.peers import TOKEN, Stage

from botmatrix.nexus.handshake import PATHS
from botmatrix.nexus.timing import Timing

ROUTES = [path + slash for path in PATHS for slash in ("", "/") if path != "/" or not slash]


@pytest.mark.parametrize("path", ROUTES)
async def test_every_route_asks_for_the_token_before_the_upgrade(stage: Stage, path: str) -> None:
    assert (await stage.knock("10001", path=path, token=""))[1] == 401
    assert (await stage.knock("10001", path=path, token="wrong"))[1] == 403
    assert (await stage.knock("10001", path=f"{path}?access_token=wrong", token=""))[1] == 403
    assert (await stage.knock("10001", path=path))[1] == 101


@pytest.mark.parametrize("parameter", ["access_token", "token"])
async def test_token_in_the_query_opens_and_is_never_shown(
    stage: Stage, parameter: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await stage.dial("10001", path=f"/onebot/v11/ws?{parameter}={TOKEN}", token="")
    _, status, body = await stage.knock("10002", path=f"/nowhere?{parameter}={TOKEN}", token="")
    assert status == 404
    shown = f"{body} {stage.hub.refused()} {caplog.text} {stage.hub.bots['qq:10001'].links}"
    assert TOKEN not in shown
    assert f"{parameter}=***" in stage.hub.refused()[0].target


async def test_page_of_another_host_is_refused_and_nonsense_is_not(stage: Stage) -> None:
    assert (await stage.knock("10001", Origin="https://evil.example"))[1] == 403
    for number, origin in enumerate(("[object Object]", "http://127.0.0.1:8080", "null", "file://")):
        assert (await stage.knock(str(number + 1), Origin=origin))[1] == 101


async def test_plain_http_request_is_told_what_this_is(stage: Stage) -> None:
    _, status, body = await stage.knock("", path="/", Upgrade="-", Connection="-")
    assert status == 426
    assert "WebSocket" in body


async def test_unknown_path_names_the_right_ones(stage: Stage) -> None:
    _, status, body = await stage.knock("10001", path="/bots")
    assert status == 404
    assert "/onebot/v11/ws" in body


async def test_refusals_are_kept_with_reason_and_cure(stage: Stage) -> None:
    await stage.knock("10001", token="wrong", User_Agent="OneBot/11")
    (refusal,) = stage.hub.refused()
    assert (refusal.status, refusal.self_id, refusal.user_agent) == (403, "10001", "OneBot/11")
    assert "token" in refusal.reason
    assert refusal.cure


async def test_token_of_one_bot_does_not_open_another(open_stage: OpenStage) -> None:
    own = {"qq:1": ("one",), "qq:2": ("two",)}
    stage = await open_stage(tokens=lambda key: own[key] if key else ("one", "two"))
    assert (await stage.knock("1", token="one"))[1] == 101
    assert (await stage.knock("2", token="one"))[1] == 403


async def test_unnamed_bot_may_not_take_the_name_of_a_bot_with_another_token(open_stage: OpenStage) -> None:
    own = {"qq:1": ("one",), "qq:2": ("two",)}
    stage = await open_stage(tokens=lambda key: own[key] if key else ("one", "two"))
    bot = await stage.dial("", token="one")
    bot.say({"post_type": "meta_event", "meta_event_type": "lifecycle", "self_id": 2})
    assert (await bot.closed())[0] == 4003
    assert "qq:2" not in stage.hub.bots


async def test_empty_configured_token_opens_for_everyone(open_stage: OpenStage) -> None:
    stage = await open_stage(tokens=lambda key: ("",))
    assert (await stage.knock("1", token=""))[1] == 101
    assert (await stage.knock("2", token="whatever"))[1] == 101


async def test_bot_that_connects_too_often_is_told_to_back_off(open_stage: OpenStage) -> None:
    stage = await open_stage(Timing(greeting=3600, flapping_links=5))
    for _ in range(5):
        bot = await stage.dial("10001")
        bot.hang_up()
        await stage.seen.until(lambda: not stage.hub.bots["qq:10001"].links)
    _, status, body = await stage.knock("10001")
    assert status == 429
    assert "Retry-After: 10" in body
    assert (await stage.knock("10002"))[1] == 101


async def test_unnamed_bot_that_connects_too_often_is_told_so_when_it_says_its_name(open_stage: OpenStage) -> None:
    stage = await open_stage(Timing(greeting=3600, flapping_links=3))
    name = {"post_type": "meta_event", "meta_event_type": "lifecycle", "self_id": 10001}
    for number in range(3):
        bot = await stage.dial("")
        bot.say(name)
        await stage.seen.until(lambda: stage.seen.happenings.count(("online", "qq:10001")) == number + 1)  # noqa: B023
        bot.hang_up()
        await stage.seen.until(lambda: not stage.hub.bots["qq:10001"].links)
    bot = await stage.dial("")
    bot.say(name)
    assert (await bot.closed())[0] == 4029


@pytest.mark.parametrize("headers", [{"X_Platform": "no platform!"}, {"X_Self_ID": "x" * 200}])
async def test_impossible_names_are_refused(stage: Stage, headers: dict[str, str]) -> None:
    assert (await stage.knock("", **headers))[1] == 400


async def test_platform_is_compared_without_case(stage: Stage) -> None:
    await stage.dial("42", X_Platform="Telegram")
    await stage.dial("43", path="/ws?platform=KOOK")
    assert set(stage.hub.bots) == {"telegram:42", "kook:43"}

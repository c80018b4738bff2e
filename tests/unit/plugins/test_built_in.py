"""The plugins that come with BotMatrix."""

from __future__ import annotations

import pytest
from tests.unit.plugins.fakes import Platform, Room, message, replies

from botmatrix.worker.plugins.host import Host


@pytest.fixture
async def room(platform: Platform, host: Host) -> Room:
    await host.load_all()
    return Room(platform, host)


async def test_echo_returns_the_message_with_its_segments(room: Room) -> None:
    assert await room.say("/echo 你好 world") == ["你好 world"]
    picture = {"type": "image", "data": {"file": "a.png"}}
    assert await room.say([{"type": "text", "data": {"text": "/echo "}}, picture]) == ["[CQ:image,file=a.png]"]
    assert await room.say("/echo") == ["用法 Usage: /echo 你好"]


async def test_echo_cannot_be_made_to_speak_cq(room: Room) -> None:
    assert await room.say("/echo [CQ:at,qq=all]") == ["&#91;CQ:at,qq=all&#93;"]


async def test_ping_tells_the_milliseconds_since_the_gateway(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1_700_000_000.0)
    assert await room.say("/ping") == ["pong 12 ms"]
    monkeypatch.setattr("time.time", lambda: 1_600_000_000.0)  # another machine's clock
    assert await room.say("/ping") == ["pong 0 ms"]


async def test_help_lists_the_commands_that_you_may_use(room: Room, platform: Platform) -> None:
    (listed,) = await room.say("/help")
    assert listed.splitlines() == [
        "可用命令 Commands:",
        "/echo — 原样返回消息 · Say it again",
        "/help — 列出命令 · List the commands",
        "/ping — 测试是否在线 · Check that the bot answers",
        "用法 Usage: /help echo",
    ]
    platform.settings.chat_admins = ["qq:123"]
    platform.settings.command_prefixes = ["!"]
    (listed,) = await room.say("!帮助")
    assert "!status — 工作进程状态 · How the worker is" in listed


async def test_help_tells_about_one_command(room: Room) -> None:
    for asked in ("/help echo", "/help /echo", "/help 复读", "/帮助 ECHO"):
        assert (await room.say(asked))[0].splitlines() == [
            "/echo",
            "原样返回消息 · Say it again",
            "别名 Also: /复读",
            "插件 Plugin: echo",
        ]
    assert "没有命令 /nothing" in (await room.say("/help nothing"))[0]
    assert "没有命令 /status" in (await room.say("/help status"))[0]


async def test_status_is_for_chat_administrators(room: Room, platform: Platform) -> None:
    assert await room.say("/status", sender={"role": "owner"}) == []
    platform.settings.chat_admins = ["qq:123"]
    platform.clock.advance(3_725)
    assert (await room.say("/status"))[0].splitlines() == [
        "工作进程 Worker: w1",
        "运行时间 Uptime: 1:02:05",
        "已处理 Handled: 2",
        "插件 Plugins: echo, help, ping, status",
    ]


@pytest.mark.parametrize("name", ["echo", "ping", "help", "status"])
async def test_each_can_be_switched_off(platform: Platform, host: Host, name: str) -> None:
    platform.settings.disabled_plugins = [name]
    platform.settings.chat_admins = ["qq:123"]
    await host.load_all()
    room = Room(platform, host)
    assert await room.say(f"/{name} x") == []
    others = {"echo", "ping", "help", "status"} - {name}
    assert {command.name for command in host.commands()} == others


async def test_plain_talk_is_not_answered(room: Room) -> None:
    for said in ("hello", "ping", "echo hi", "help!", "/unknown"):
        assert replies(await room.handle(message(said))) == []

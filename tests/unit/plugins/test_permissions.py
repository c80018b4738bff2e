"""What a plugin may have bots do is decided by the host."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.plugins.fakes import Platform, Room, write_plugin

from botmatrix.core.plugins import Wish
from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.source import PACKAGED, Source

CODE = """
    plugin = Plugin(id="mine", permissions={permissions!r})

    @plugin.command("try")
    async def tries(ctx, action: str):
        try:
            await ctx.call(action)
        except ActionFailed as failed:
            return str(failed.retcode)
        return "done"

    @plugin.command("tell")
    async def tell(ctx, address: str):
        try:
            ctx.send(address, "hi")
        except ActionFailed as failed:
            return str(failed.retcode)
"""


@pytest.mark.parametrize(
    ("permissions", "grants", "action", "answer"),
    [
        ([], [], "get_status", "1403"),
        (["get_status"], [], "get_status", "done"),
        (["get_status"], [], "set_group_kick", "1403"),
        (["*"], [], "set_group_kick", "1404"),
        (["*"], ["mine:get_status"], "set_group_kick", "1403"),
        (["get_status"], ["mine:set_group_kick"], "get_status", "1403"),
        (["get_status"], ["mine:*", "other:x"], "get_status", "done"),
    ],
)
async def test_only_what_was_asked_for_and_granted_is_done(
    platform: Platform, host: Host, tmp_path: Path, permissions: list[str], grants: list[str], action: str, answer: str
) -> None:
    platform.settings.plugin_grants, platform.answers["get_status"] = grants, {}
    await host.load(write_plugin(tmp_path, CODE.format(permissions=permissions)))
    assert await Room(platform, host).say(f"/try {action}") == [answer]
    refused = host.plugins[0].refused
    assert refused == ({action: 1} if answer == "1403" else None)


async def test_what_an_administrator_grants_counts_at_once(platform: Platform, host: Host, tmp_path: Path) -> None:
    platform.settings.plugin_grants, platform.answers["get_status"] = ["mine:get_status"], {}
    await host.load(write_plugin(tmp_path, CODE.format(permissions=["get_status"])))
    room = Room(platform, host)
    host.grant(lambda _plugin: Wish(grants=()))
    assert await room.say("/try get_status") == ["1403"]
    await host.reload("mine")
    assert await room.say("/try get_status") == ["1403"]
    host.grant(lambda _plugin: Wish(grants=("get_status",)))
    assert await room.say("/try get_status") == ["done"]


async def test_a_package_may_do_nothing_but_answer_until_it_is_granted(
    platform: Platform, host: Host, tmp_path: Path
) -> None:
    platform.answers["get_status"] = {}
    path = write_plugin(tmp_path, CODE.format(permissions=["get_status"])).path
    await host.load(Source(PACKAGED, "mine", path, version="1.0.0"))
    room = Room(platform, host)
    assert await room.say("/tell qq:group:456") == ["hi"]
    assert await room.say("/try get_status") == ["1403"]
    host.grant(lambda _plugin: Wish(grants=("*",)))
    assert await room.say("/try get_status") == ["done"]


async def test_answering_here_needs_no_permission_speaking_elsewhere_does(
    platform: Platform, host: Host, tmp_path: Path
) -> None:
    await host.load(write_plugin(tmp_path, CODE.format(permissions=[])))
    room = Room(platform, host)
    assert await room.say("/tell qq:group:456") == ["hi"]
    assert await room.say("/tell qq:private:123") == ["1403"]
    assert await room.say("/tell qq:group:7") == ["1403"]
    await host.load(write_plugin(tmp_path, CODE.format(permissions=["send_group_msg"])))
    assert await room.say("/tell qq:group:7") == ["hi"]

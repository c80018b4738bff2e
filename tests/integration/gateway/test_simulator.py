"""A whole OneBot implementation, played by the kit's simulator, against a hub that answers it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.integration.gateway.conftest import OpenStage
from tests.integration.gateway.peers import TOKEN

from botmatrix.nexus.hub import Bot
from botmatrix.onebot.action import ActionResponse
from botmatrix.onebot.event import Event

SIMULATOR = next(
    (
        path
        for root in Path(__file__).resolve().parents
        if (path := root / "shared" / "kit" / "stub" / "onebot_stub.py").exists()
    ),
    None,
)

pytestmark = pytest.mark.skipif(SIMULATOR is None, reason="../shared/kit/stub/onebot_stub.py is not here")


def answer_user(bot: Bot, event: Event) -> None:
    """What the simulator's users expect to their words."""
    frame: dict[str, Any] = msgspec.json.decode(event.raw)
    if event.post_type != "message":
        return
    word, _, tag = frame["raw_message"].partition(" ")

    def reply(text: str) -> None:
        target = {"group_id": frame["group_id"]} if event.group_id else {"user_id": frame["user_id"]}
        bot.call("send_msg", msgspec.json.encode({"message": text, **target}), lambda _: None)

    def reply_with(action: str, tell: Any) -> None:
        def on_answer(answer: ActionResponse | None) -> None:
            if answer is not None:
                reply(tell(answer, msgspec.json.decode(answer.data)))

        bot.call(action, b"{}", on_answer)

    match word:
        case "ping":
            reply(f"pong {tag}")
        case "whoami":
            reply_with("get_login_info", lambda _, data: f"iam {tag} {data['user_id']} {data['nickname']}")
        case "groups":
            reply_with("get_group_list", lambda _, data: f"groups {tag} {len(data)} {data[0]['group_id']}")
        case "boom":
            reply_with("no_such_action", lambda answer, _: f"failed {tag} {answer.retcode}")


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"ROLE": "split"},
        {"FORMAT": "string", "QUIRKS": "string_ids"},
        {"QUIRKS": "binary,no_lifecycle"},
        {"QUIRKS": "stray,twice"},
        {"QUIRKS": "no_status"},
        {"QUIRKS": "ascii,no_message_format"},
        {"OMIT_HEADERS": "X-Self-ID"},
        {"OMIT_HEADERS": "X-Client-Role", "RECONNECT": "1"},
    ],
    ids=lambda settings: ",".join(settings.values()) or "plain",
)
async def test_simulator_gets_every_answer_right(open_stage: OpenStage, settings: dict[str, str]) -> None:
    stage = await open_stage()
    stage.seen.react = answer_user
    url = f"ws://127.0.0.1:{stage.gateway.port}/onebot/v11"
    variables = {"URL": f"{url}/ws", "API_URL": f"{url}/api", "EVENT_URL": f"{url}/event", "TOKEN": TOKEN}
    variables |= {"BOTS": "10001,10002", "EVENTS": "5", "TIMEOUT": "10", "SETTLE": "0.1"} | settings
    simulator = await asyncio.create_subprocess_exec(
        *(sys.executable, str(SIMULATOR)),
        env=os.environ | {f"STUB_{name}": value for name, value in variables.items()},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await simulator.communicate()
    summary = json.loads(output)
    assert simulator.returncode == 0, summary

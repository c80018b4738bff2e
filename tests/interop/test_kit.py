"""The same with a simulator and with applications that others wrote, where they are beside this repository."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
from tests.interop.conftest import APP_TOKEN, BOT_TOKEN, BOTS, Matrix, python_app
from tests.interop.matrices import NewMatrix

KIT = next(
    (kit for root in Path(__file__).resolve().parents if (kit := root / "shared" / "kit").is_dir()),
    Path("/nowhere"),
)
pytestmark = pytest.mark.skipif(not KIT.is_dir(), reason="../shared/kit is not here")


@pytest.fixture(scope="module", params=["nonebot2", "aiocqhttp"])
def matrix(request: pytest.FixtureRequest, new_matrix: NewMatrix) -> Matrix:
    """A hub that dials an application of the kit."""
    python = python_app(request.param)[0]
    matrix = new_matrix()
    matrix.dial({"nonebot2": "/onebot/v11/ws", "aiocqhttp": "/ws/"}[request.param])
    env = {"MODE": "reverse", "PORT": str(matrix.app_port), "TOKEN": APP_TOKEN, "QUICK": "1"}
    matrix.start_app([python, str(KIT / request.param / "app.py")], **env)
    matrix.start()
    return matrix


@pytest.mark.parametrize(
    "settings",
    [
        {"RECONNECT": "1"},
        {"ROLE": "split", "QUIRKS": "twice,stray"},
        {"FORMAT": "string", "QUIRKS": "string_ids,no_lifecycle"},
        {"OMIT_HEADERS": "X-Self-ID", "QUIRKS": "binary,no_status"},
    ],
    ids=lambda settings: ",".join(settings.values()),
)
async def test_the_simulator_of_the_kit_gets_every_answer(matrix: Matrix, settings: dict[str, str]) -> None:
    roads = matrix.roads
    variables = {"URL": roads["universal"], "API_URL": roads["api"], "EVENT_URL": roads["event"], "TOKEN": BOT_TOKEN}
    variables |= {"BOTS": ",".join(map(str, BOTS)), "EVENTS": "5", "KIND": "both", "TIMEOUT": "15", "SETTLE": "0.5"}
    simulator = await asyncio.create_subprocess_exec(
        *(sys.executable, str(KIT / "stub" / "onebot_stub.py")),
        env=os.environ | {f"STUB_{name}": value for name, value in (variables | settings).items()},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await simulator.communicate()
    assert simulator.returncode == 0, json.loads(output)

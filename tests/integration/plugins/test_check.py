"""`botmatrix plugin check`: what it says of programs that speak the protocol, and of those that don't."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.integration.plugins.children import ECHO, write_isolated

from botmatrix.worker.plugins.isolated.check import check


async def problems(folder: Path, code: str, **manifest: Any) -> str:
    source = write_isolated(folder, code, **{"timeout_ms": 1000, **manifest})
    assert source.path is not None
    return "\n".join([finding.problem async for finding in check(source.path, None) if finding.problem])


async def test_nothing_is_wrong_with_who_answers_everything(tmp_path: Path) -> None:
    code = """
        for m in messages():
            if m["type"] == "event": reply(m, "heard")
    """
    assert await problems(tmp_path, code, intents=[{"name": "w", "keywords": ["rain"]}]) == ""


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("sys.exit(3)", "exit code 3"),
        ("for m in messages(): say(id='other', ok=True, actions=[])", "no last answer within 1 s"),
        ("for m in messages(): print('{'); sys.stdout.flush(); reply(m, 'x')", "of them"),
        (
            "for m in messages(): say(id=m['id'], ok=True, actions=[{'type': 'set_it'}])",
            "set_it is not granted",
        ),
        ("for m in messages(): say(id=m['id'], ok=False, actions=[])", "gave no `error`"),
        ("for m in messages():\n    reply(m, 'x')\n    if len(m['payload']['text']) > 9: sys.exit(1)", "its process"),
        (ECHO, "an empty message can't be sent"),
    ],
)
async def test_what_is_wrong_is_said(tmp_path: Path, code: str, said: str) -> None:
    assert said in await problems(tmp_path, code)


async def test_a_manifest_that_is_wrong_is_said(tmp_path: Path) -> None:
    assert "which is not there" in await problems(tmp_path, ECHO, entry="./nothing")

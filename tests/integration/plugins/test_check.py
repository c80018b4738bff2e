"""`botmatrix plugin check`: what it says of programs that speak the protocol, and of those that don't."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.integration.plugins.children import ECHO, write_isolated

from botmatrix.worker.plugins.isolated.check import check

VERBS = ("set", "get", "exists", "delete", "get")


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


WORLDS = """
    steps = []
    for m in messages():
        if m["type"] == "response" or m.get("correlation_id"):
            if m["type"] == "event": say(id=m["id"], ok=True, actions=[])
            steps.append([m["name"], m["payload"].get("ok"), m["payload"].get("value"), m["payload"].get("text")])
        elif m["payload"]["text"] == "go":
            event, steps = m, []
        else:
            say(id=m["id"], ok=True, actions=[])
            continue
        todo = ["storage." + verb for verb in ("set", "get", "exists", "delete", "get")] + ["send_message", "get_it"]
        if len(steps) == len(todo):
            print("saw", json.dumps(steps), file=sys.stderr)
            say(id=event["id"], ok=steps[0][1] is False, error=json.dumps(steps), actions=[])
        else:
            act = {"type": todo[len(steps)], "text": "well?", "target": "1", "target_id": "456", "correlation_id": "c",
                   "payload": {"key": "k", "value": 7}}
            say(id=event["id"], ok=True, actions=[act], more=True)
"""


async def test_what_is_said_besides_meets_a_world_that_works_and_one_that_does_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = write_isolated(tmp_path, WORLDS, permissions=["get_it"])
    assert source.path is not None
    with caplog.at_level("INFO"):
        found = [finding async for finding in check(source.path, None, ["go"]) if "'go'" in finding.what]
    assert [finding.problem for finding in found] == ["", ""]
    works, fails = [text.removeprefix("saw ") for text in caplog.messages if text.startswith("saw ")]
    kept = [True, 7, True, True, None]
    stored = [[f"storage.{verb}_response", True, value, None] for verb, value in zip(VERBS, kept, strict=True)]
    assert json.loads(works)[:5] == stored
    assert json.loads(works)[5:] == [["on_message", None, None, "yes"], ["get_it_response", True, None, None]]
    assert {step[0]: step[1] for step in json.loads(fails)}["ask_timeout"] is False
    assert not any(step[1] for step in json.loads(fails))


async def test_a_manifest_that_is_wrong_is_said(tmp_path: Path) -> None:
    assert "which is not there" in await problems(tmp_path, ECHO, entry="./nothing")


async def test_python_that_runs_in_the_worker_can_be_checked_as_well(tmp_path: Path) -> None:
    (tmp_path / "plugin.json").write_text('{"id": "mine"}')
    (tmp_path / "plugin.py").write_text(
        "from botmatrix import Plugin\n"
        "plugin = Plugin(id='mine', permissions=['get_status'])\n"
        "@plugin.on_message()\nasync def heard(ctx):\n    await ctx.call('get_status')\n    return 'heard'\n"
    )
    assert [finding.problem async for finding in check(tmp_path, None) if finding.problem] == []
    (tmp_path / "plugin.py").write_text("import nothing_like_that")
    assert "nothing_like_that" in "".join([finding.problem async for finding in check(tmp_path, None)])


KEEPING = """
from botmatrix import Plugin, rate
plugin = Plugin(id="mine", permissions=["send_msg"])
@plugin.on_startup
async def up(app): await app.store.set("begun", 1)
@plugin.command("buy", cooldown=rate("100/min"))
async def buy(ctx):
    sure = (await ctx.ask("sure?")).text
    n = await ctx.store.update("n", lambda n: n + 1, default=0)
    await ctx.session.set("mine.sure", sure)
    last = await ctx.session.get("mine.sure"), await ctx.store.get("begun"), await ctx.store.keys()
    ctx.log.info("bought %s %s", n, last)
@plugin.cron("0 0 1 1 *")
async def yearly(app):
    await app.send("qq:group:1", "happy new year")
    app.log.info("new year")
"""


async def test_what_python_keeps_asks_and_does_by_the_clock_is_checked_as_well(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "plugin.json").write_text('{"id": "mine"}')
    (tmp_path / "plugin.py").write_text(KEEPING)
    with caplog.at_level("INFO"):
        found = [finding async for finding in check(tmp_path, None, ["/buy"])]
    assert [finding.problem for finding in found if finding.problem] == []
    assert any("bought 1 ('yes', 1, ['begun', 'n'])" in text for text in caplog.messages)
    assert any("new year" in text for text in caplog.messages)
    (tmp_path / "plugin.json").write_text('{"id": "mine", "isolation": "process"}')
    problems = [finding.problem async for finding in check(tmp_path, None) if finding.problem]
    assert "send_msg is not in permissions" in problems

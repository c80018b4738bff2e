"""`botmatrix task` on real engines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from botmatrix.bus.keys import Keys
from botmatrix.cli.main import run

KEYS = Keys()
Command = Callable[..., int]
SAY = ("send_message", "bot_id=qq:1", "group_id=7", "message=早")


@pytest.fixture
def engines(tmp_path: Path, redis_url: str, empty_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Redis, and engines that nothing ever used."""
    monkeypatch.setenv("BOTMATRIX_HOME", str(tmp_path))
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("DATABASE_URL", empty_database)
    client = redis.Redis.from_url(redis_url)
    yield client
    client.close()


@pytest.fixture
def command(engines: Any) -> Command:
    """Runs a command; a nexus has the skill system on."""
    engines.hset(KEYS.nexus("n1.a"), mapping={"seq": "1", "enable_skill": "true"})
    engines.sadd(KEYS.nexuses, "n1.a")
    engines.set(KEYS.lease("n1.a"), "1")
    return lambda *words: run(["task", *words])


def test_a_task_is_added_paused_run_cancelled_and_deleted(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("add", "morning", *SAY, "--cron", "0 9 * * *", "--zone", "Asia/Shanghai") == 0
    assert capsys.readouterr().out.startswith("Task 1 runs at ")
    assert command("add", "ads", "mute_group", "user_id={user_id}", "--on", '{"event": "message", "keyword": "a"}') == 0
    assert capsys.readouterr().out == "Task 2 waits for events.\n"
    assert command("disable", "1") == 0
    capsys.readouterr()
    assert command("list", "--json") == 0
    tasks = json.loads(capsys.readouterr().out)
    assert [(one["name"], one["status"], one["next_run_time"]) for one in tasks] == [
        ("morning", "disabled", "-"),
        ("ads", "pending", "-"),
    ]
    assert command("enable", "1") == 0
    capsys.readouterr()
    assert command("run", "1") == 0
    execution = capsys.readouterr().out.strip()
    assert command("cancel", execution) == 0
    capsys.readouterr()
    assert command("executions", "1", "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["execution_id"], found["status"]) == (execution, "failed")
    assert found["error"].startswith("cancelled by cli:")
    assert command("run", "2") == 1
    assert "answers an event" in capsys.readouterr().err
    assert command("delete", "1") == 0
    assert command("delete", "1") == 1
    assert "there is no task with this id" in capsys.readouterr().err
    for verb in ("delete", "run", "enable", "executions"):
        assert command(verb, "9" * 23) == 2


def test_tags_are_put_on_and_taken_off(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("tag", "vip", "group:77") == 0
    assert command("tag", "vip", "kook:friend:x") == 0
    assert command("tag", "vip", "group:77") == 0
    assert "so already" in capsys.readouterr().out
    assert command("untag", "vip", "group:77") == 0
    capsys.readouterr()
    assert command("tags", "--json") == 0
    assert json.loads(capsys.readouterr().out) == [
        {"tag": "vip", "platform": "kook", "type": "friend", "target_id": "x"}
    ]
    assert command("tag", "vip", "77") == 2


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("add", "x", *SAY), 2),
        (("add", "x", *SAY, "--cron", "* * *"), 1),
        (("add", "x", *SAY, "--delay", "1", "--cron", "* * * * *"), 2),
        (("add", "x", *SAY, "--on", "["), 2),
        (("add", "x", "dance", "a=b", "--delay", "1"), 2),
        (("add", "x", "send_message", "bot_id", "--delay", "1"), 1),
        (("cancel", "nobody"), 1),
    ],
)
def test_what_can_not_be_is_said(command: Command, words: tuple[str, ...], code: int) -> None:
    assert command(*words) == code


def test_without_the_skill_system_there_are_no_tasks(engines: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["task", "list"]) == 1
    assert "the skill system is off" in capsys.readouterr().err

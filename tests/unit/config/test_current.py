"""The settings of a process that runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from botmatrix.config import OPTIONS, Current, Settings, Stored, load
from botmatrix.config.view import view


@pytest.fixture
def current(home: Path) -> Current:
    (home / "config.json").write_text('{"chat_admins": ["qq:1"], "worker_pool": "file"}')
    return Current(load(home, {}, {"LOG_LEVEL": "error"}))


def test_hot_ones_take_effect_and_are_told(current: Current) -> None:
    told: list[Settings] = []
    current.watch(told.append)
    stored = Stored({"chat_admins": ["qq:2"], "command_prefixes": ["!"], "log_level": "debug"}, bound=("tg:9",))
    assert current.take(stored)
    assert not current.take(stored)
    assert [one.commanders for one in told] == [("qq:1",), ("qq:2", "tg:9")]
    assert current.running.command_prefixes == ("!",)
    assert current.running.log_level == "error", "the environment is stronger"
    assert current.running.source("chat_admins") == "database"
    assert current.take(Stored())
    assert (current.running.chat_admins, current.running.source("chat_admins")) == (("qq:1",), "file")


def test_others_wait_for_a_restart(current: Current) -> None:
    assert not current.take(Stored({"worker_pool": "database", "enable_skill": True}))
    assert (current.running.worker_pool, current.running.enable_skill) == ("file", False)
    assert (current.wanted.worker_pool, set(current.pending)) == ("database", {"worker_pool", "enable_skill"})
    current.take(Stored())
    assert current.pending == ()


def test_what_people_see(current: Current) -> None:
    current.take(Stored({"worker_pool": "database", "bots": [{"url": "ws://u:pass@h:1", "token": "t0ken"}]}))
    seen = {one.key: one for one in view(current)}
    assert list(seen) == [option.key for option in OPTIONS]
    pool, level, token = seen["worker_pool"], seen["log_level"], seen["bot_token"]
    assert (pool.value, pool.pending, pool.needs_restart, pool.source) == ("file", "database", True, "database")
    assert (level.locked_by, level.hot, level.needs_restart) == ("LOG_LEVEL", True, False)
    assert (token.value, token.set, token.secret) == (None, True, True)
    assert seen["bots"].value == [{"url": "ws://u:***@h:1", "platform": "qq", "token_set": True}]
    assert seen["nexus_id"].locked_by
    assert {one.key for one in view(current, under_up=True) if one.locked_by == "up"} == {"redis_url", "database_url"}
    everything = repr(seen)
    assert str(current.running.bot_token) not in everything
    assert "t0ken" not in everything

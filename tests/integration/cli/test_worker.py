"""`botmatrix worker list` on a real Valkey."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from botmatrix.cli.main import run


def test_the_list_tells_response_waiting_and_handling_apart(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BOTMATRIX_HOME", str(tmp_path))
    monkeypatch.setenv("REDIS_URL", redis_url)
    said = {"pool": "default", "transport": "stream", "in_flight": 3, "handled": 41, "response_ms": "30.500"}
    with redis.Redis.from_url(redis_url) as client:
        client.sadd("botmatrix:workers", "w1")
        client.hset("botmatrix:worker:w1", mapping=said | {"waiting_ms": "10.250", "handling_ms": "20.125"})
    assert run(["worker", "list"]) == 0
    head, line = capsys.readouterr().out.splitlines()
    assert "RESPONSE MS  RESPONSE P95 MS  WAITING MS  HANDLING MS" in head
    assert line.split() == ["w1", "default", "stream", "3", "41", "30.500", "10.250", "20.125"]

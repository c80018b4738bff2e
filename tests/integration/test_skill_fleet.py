"""Fleets of parts that have the skill system on and off, as real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.chaos.fleet import fleet, links, promised
from tests.conftest import ValkeyProcess
from tests.integration.test_skill_system import KEYS, SkillMatrix
from tests.integration.test_up import ROOT


@pytest.fixture
def matrix(home: Path, own_valkey: ValkeyProcess, database_url: str) -> Iterator[SkillMatrix]:
    found = SkillMatrix(home, own_valkey.url, database_url)
    yield found
    found.redis.close()
    found.end()


def test_a_mixed_fleet_executes_every_call_on_skilled_workers_and_loses_nothing(matrix: SkillMatrix) -> None:
    found = fleet(matrix, 300, 3)
    assert promised(found, 300, 0.15) == [], found


@pytest.mark.parametrize(("nexus", "worker"), [(False, False), (False, True), (True, False), (True, True)])
def test_the_four_cells_of_the_switch(matrix: SkillMatrix, nexus: bool, worker: bool) -> None:
    for name, on in (("nexus", nexus), ("control", nexus), ("w1", worker)):
        matrix.begin(name, on=on)
    parts = matrix.ready(3)
    matrix.log_in()
    both = nexus and worker
    assert {name: one["skills"] for name, one in parts.items()} == {
        **{name: nexus for name in parts if not name.startswith("worker")},
        **{name: worker for name in parts if name.startswith("worker")},
    }
    assert any("enable_skill differs" in one for one in matrix.client.get("/readyz").json()["warnings"]) == (
        nexus != worker
    )
    assert matrix.redis.hexists(KEYS.presence("w1"), "capabilities") == worker
    assert matrix.listeners() == [int(nexus), int(nexus)]
    assert bool(matrix.database_connections()) == nexus or matrix.until(lambda: matrix.database_connections() or None)
    if both:
        matrix.until(lambda: matrix.skills() or None)
    answer = matrix.client.post("/api/skills/who/call", json={"timeout": 20 if both else 0.5})
    expected = (200, "success") if both else (202, "pending") if nexus else (409, "skill_disabled")
    assert (answer.status_code, answer.json().get("status", answer.json().get("error"))) == expected
    with links(matrix) as (bot, _):
        matrix.until(lambda: matrix.client.get("/api/bots").json()["total"] or None)
        bot.say(20)
        matrix.until(lambda: True if len(bot.answers) == 20 else None)
        bot.ask("who is there")
        if both:
            matrix.until(lambda: True if str(matrix.running["w1"].pid) in bot.heard else None)
        bot.ask("/echo 99")
        matrix.until(lambda: True if 99 in bot.answers else None)
        assert (str(matrix.running["w1"].pid) in bot.heard) == both


def test_a_gray_launch_shows_at_each_step_what_it_must(matrix: SkillMatrix) -> None:
    def shows(step: str) -> bool | None:
        token = str(matrix.client.headers["Authorization"]).removeprefix("Bearer ")
        command = [sys.executable, str(ROOT / "deploy" / "gray_launch.py"), str(matrix.client.base_url), step]
        said = subprocess.run(command, env={**os.environ, "BOTMATRIX_TOKEN": token}, capture_output=True, check=False)
        assert said.returncode in (0, 1), said.stderr
        return True if said.returncode == 0 else None

    def again(name: str) -> None:
        matrix.kill(name)
        matrix.begin(name, on=True)

    for name in ("nexus", "control", "w1", "w2"):
        matrix.begin(name, on=False)
    matrix.ready(4)
    matrix.log_in()
    matrix.until(lambda: shows("off"))
    assert not shows("workers")
    again("w1")
    matrix.until(lambda: shows("workers"))
    again("nexus")
    again("control")
    matrix.ready(4)
    matrix.until(lambda: shows("nexus"))
    assert {matrix.call()["worker_id"] for _ in range(10)} == {"w1"}
    assert not shows("everywhere")
    again("w2")
    matrix.until(lambda: shows("everywhere"))
    matrix.until(lambda: True if sorted(matrix.skills()) == ["w1", "w2"] else None)

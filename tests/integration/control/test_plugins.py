"""Plugins by REST: what workers have, what is wanted, and where."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from botmatrix.bus.keys import Keys
from botmatrix.control.parts import Parts
from botmatrix.core.plugins import parse

PATH = "/api/plugins"
MATRIX = f"{PATH}/matrix"
TOLD = {"id": "dice", "version": "1.0", "state": "loaded", "error": "", "since": 7.0}


@pytest.fixture(autouse=True)
async def _worker(parts: Parts) -> None:
    """A worker that told of one plugin."""
    await parts.presence.announce("w1", {"pool": "default"})
    await parts.presence.list_plugins("w1", json.dumps([TOLD]).encode())


async def test_what_is_wanted_is_kept_published_and_shown(owner: httpx.AsyncClient, parts: Parts) -> None:
    assert (await owner.post(f"{PATH}/dice/disable")).json()["enabled"] is False
    assert (await owner.post(f"{PATH}/dice/reload")).json()["published"]
    kept = await parts.redis.call("GET", Keys().plugins)
    wish = parse(kept).wish("dice")
    assert (wish.enabled, wish.generation) == (False, 1)
    (row,) = (await owner.get(PATH)).json()["plugins"]
    assert (row["id"], row["enabled"]) == ("dice", False)
    (of_worker,) = row["workers"]
    assert (of_worker["worker"], of_worker["version"], of_worker["state"]) == ("w1", "1.0", "loaded")
    assert (await owner.post(f"{PATH}/dice/enable")).json()["enabled"] is True
    written = (await owner.get("/api/audit")).json()["audit"]
    assert [one["what"] for one in written] == ["plugin.enable", "plugin.reload", "plugin.disable"]


async def test_a_plugin_is_described_as_its_newest_version_says(owner: httpx.AsyncClient, parts: Parts) -> None:
    (row,) = (await owner.get(PATH)).json()["plugins"]
    assert (row["name"], row["description"]) == ("", "")
    newer = TOLD | {"since": 8.0, "name": "Dice · 骰子", "description": "Throws dice. " * 1000}
    await parts.presence.announce("w2", {"pool": "default"})
    await parts.presence.list_plugins("w2", json.dumps([newer]).encode())
    (row,) = (await owner.get(PATH, params={"q": "骰子"})).json()["plugins"]
    assert (row["name"], row["description"][:12], len(row["description"])) == ("Dice · 骰子", "Throws dice.", 1000)


async def test_a_plugin_that_nobody_has_is_unknown(owner: httpx.AsyncClient) -> None:
    for what in ("reload", "enable", "disable"):
        answer = await owner.post(f"{PATH}/cards/{what}")
        assert (answer.status_code, answer.json()["error"]) == (404, "unknown_plugin")
    assert (await owner.post(f"{PATH}/a b/reload")).status_code == 422


async def test_an_empty_redis_gets_back_what_is_wanted(owner: httpx.AsyncClient, parts: Parts) -> None:
    await owner.post(f"{PATH}/dice/disable")
    await parts.redis.call("FLUSHALL")
    await parts.plugins.reconcile()
    assert not parse(await parts.redis.call("GET", Keys().plugins)).wish("dice").enabled


async def test_cells_are_set_replaced_and_dropped(owner: httpx.AsyncClient) -> None:
    off = {"plugin": "dice", "group": "qq:456", "on": False}
    boss = {"plugin": "dice", "group": "qq:456", "user": "qq:1", "on": True}
    assert (await owner.put(MATRIX, json={"cells": [off, boss]})).json()["total"] == 2
    assert (await owner.put(MATRIX, json={"cells": [off | {"on": True}]})).json()["total"] == 2
    assert (await owner.put(MATRIX, json={"cells": [boss | {"on": None}]})).json()["total"] == 1
    (cell,) = (await owner.get(MATRIX)).json()["cells"]
    assert cell == {"plugin": "dice", "bot": "", "group": "qq:456", "user": "", "on": True}


@pytest.mark.parametrize(
    "cells",
    [
        [],
        [{"plugin": "dice", "group": "456", "on": False}],
        [{"plugin": "a b", "on": False}],
        [{"plugin": "dice"}],
        [{"plugin": "dice", "on": False, "more": 1}],
    ],
)
async def test_what_is_no_cell_is_refused(owner: httpx.AsyncClient, cells: list[dict[str, Any]]) -> None:
    assert (await owner.put(MATRIX, json={"cells": cells})).status_code == 422


async def test_safe_mode_is_kept_published_and_shown(owner: httpx.AsyncClient, parts: Parts) -> None:
    assert (await owner.get(PATH)).json()["safe_mode"] is False
    answer = (await owner.put(f"{PATH}/safe-mode", json={"on": True})).json()
    assert answer == {"success": True, "on": True, "published": True}
    assert parse(await parts.redis.call("GET", Keys().plugins)).safe_mode
    assert (await owner.get(PATH)).json()["safe_mode"] is True
    assert (await owner.put(f"{PATH}/safe-mode", json={"on": "yes"})).status_code == 422
    (written,) = (await owner.get("/api/audit")).json()["audit"]
    assert (written["what"], written["after"]) == ("plugin.safe_mode", {"on": True})

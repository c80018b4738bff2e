"""Policies of groups by REST."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from botmatrix.control.parts import Parts
from botmatrix.routing.groups import parse

PATH = "/api/admin/group-policies"


async def test_a_policy_is_kept_published_shown_and_dropped(owner: httpx.AsyncClient, parts: Parts) -> None:
    wanted = {"group": "qq:456", "policy": "one", "bots": ["qq:2", "qq:1"]}
    answer = (await owner.post(PATH, json=wanted)).json()
    assert answer["published"]
    assert answer["group"]["bots"] == ["qq:2", "qq:1"]
    kept = await parts.groups_box.read()
    assert kept is not None
    assert parse(kept.document).groups["qq:456"].since >= int(time.time()) - 5
    await parts.groups_box.hear({("qq:456", "qq:1"): 7})
    (row,) = (await owner.get(PATH)).json()["groups"]
    assert (row["group"], row["policy"], row["heard"]) == ("qq:456", "one", {"qq:1": 7})
    assert (await owner.delete(PATH, params={"group": "qq:456"})).status_code == 200
    assert (await owner.delete(PATH, params={"group": "qq:456"})).json()["error"] == "unknown_group"
    assert (await owner.get(PATH)).json()["groups"] == []
    written = (await owner.get("/api/audit")).json()["audit"]
    assert [(one["what"], one["object"]) for one in written] == [("group.policy", "qq:456")] * 2
    assert written[0]["before"] == {"policy": "one", "bots": ["qq:2", "qq:1"]}


async def test_a_group_may_be_named_with_its_platform_in_any_case(owner: httpx.AsyncClient) -> None:
    saved = (await owner.post(PATH, json={"group": "QQ:456", "policy": "one", "bots": ["QQ:1"]})).json()["group"]
    assert (saved["group"], saved["bots"]) == ("qq:456", ["qq:1"])
    assert (await owner.delete(PATH, params={"group": "Qq:456"})).json()["group"] == "qq:456"


async def test_an_empty_redis_gets_the_policies_back(owner: httpx.AsyncClient, parts: Parts) -> None:
    await owner.post(PATH, json={"group": "qq:456", "policy": "mentioned"})
    await parts.redis.call("FLUSHALL")
    await parts.groups.reconcile()
    kept = await parts.groups_box.read()
    assert kept is not None
    assert "qq:456" in parse(kept.document).groups


@pytest.mark.parametrize(
    "wanted",
    [
        {"group": "456", "policy": "one"},
        {"group": "qq:4 6", "policy": "one"},
        {"group": "qq:456", "policy": "some"},
        {"group": "qq:456", "policy": "one", "bots": ["10001"]},
        {"group": "qq:456", "policy": "one", "bots": ["qq:1"] * 51},
    ],
)
async def test_what_is_no_policy_is_refused(owner: httpx.AsyncClient, wanted: dict[str, Any]) -> None:
    assert (await owner.post(PATH, json=wanted)).status_code == 422

"""Settings of plugins by REST: the form, the values, the secrets."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from pydantic import BaseModel, Field, SecretStr

from botmatrix.bus.keys import Keys
from botmatrix.control.parts import Parts
from botmatrix.core.plugin_schema import MASK
from botmatrix.core.plugin_settings import parse

PATH = "/api/plugins/weather/settings"


class Form(BaseModel):
    units: str = "metric"
    days: int = Field(1, ge=1, le=7)
    key: SecretStr = SecretStr("")


async def tell(parts: Parts, worker: str, **told: Any) -> None:
    await parts.presence.announce(worker, {"pool": "default"})
    told = {"id": "weather", "state": "loaded", "settings_schema": Form.model_json_schema(), **told}
    await parts.presence.list_plugins(worker, json.dumps([told, {"id": "dice"}]).encode())


@pytest.fixture(autouse=True)
async def _worker(parts: Parts) -> None:
    """A worker that told of one plugin with settings, and one without."""
    await tell(parts, "w1", since=7.0)


async def test_values_are_kept_and_published_and_secrets_are_masked(owner: httpx.AsyncClient, parts: Parts) -> None:
    first = (await owner.get(PATH)).json()
    assert (first["version"], first["values"], first["workers"]) == (
        0,
        {},
        [{"worker": "w1", "version": 0, "error": ""}],
    )
    assert first["schema"]["properties"]["days"]["maximum"] == 7
    values = {"days": 3, "key": "s3cret"}
    saved = (await owner.put(PATH, json={"values": values, "version": 0})).json()
    assert (saved["version"], saved["values"], saved["published"]) == (1, {"days": 3, "key": MASK}, True)
    assert parse(await parts.redis.call("GET", Keys().plugin_settings)).of("weather").values == values
    again = await owner.put(PATH, json={"values": {"days": 4, "key": MASK}})
    assert "s3cret" not in again.text
    kept = parse(await parts.redis.call("GET", Keys().plugin_settings)).of("weather")
    assert (kept.version, kept.values) == (2, {"days": 4, "key": "s3cret"})
    assert "s3cret" not in (await owner.get("/api/audit")).text


async def test_what_does_not_fit_is_refused_and_not_kept(owner: httpx.AsyncClient) -> None:
    for values in ({"days": 9}, {"days": "many"}, {"units": None}, {"key": MASK}):
        answer = await owner.put(PATH, json={"values": values})
        assert answer.status_code == 422, values
    assert (await owner.get(PATH)).json()["version"] == 0


async def test_two_administrators_do_not_overwrite_each_other(owner: httpx.AsyncClient) -> None:
    assert (await owner.put(PATH, json={"values": {"days": 2}, "version": 0})).status_code == 200
    answer = await owner.put(PATH, json={"values": {"days": 3}, "version": 0})
    assert (answer.status_code, answer.json()["error"]) == (409, "changed_meanwhile")


async def test_a_plugin_without_settings_has_no_form(owner: httpx.AsyncClient) -> None:
    for plugin in ("dice", "cards"):
        answer = await owner.get(f"/api/plugins/{plugin}/settings")
        assert (answer.status_code, answer.json()["error"]) == (404, "no_settings")
    listed = {row["id"]: row["has_settings"] for row in (await owner.get("/api/plugins")).json()["plugins"]}
    assert listed == {"dice": False, "weather": True}


async def test_the_newest_form_counts_and_each_worker_tells_what_it_goes_by(
    owner: httpx.AsyncClient, parts: Parts
) -> None:
    schema = Form.model_json_schema()
    schema["properties"]["days"]["maximum"] = 14
    await tell(parts, "w2", since=9.0, settings_schema=schema, settings_version=3, settings_error="days: no")
    told = (await owner.get(PATH)).json()
    assert told["schema"]["properties"]["days"]["maximum"] == 14
    assert told["workers"][1] == {"worker": "w2", "version": 3, "error": "days: no"}


async def test_an_empty_redis_gets_the_settings_back(owner: httpx.AsyncClient, parts: Parts) -> None:
    await owner.put(PATH, json={"values": {"days": 5}})
    await parts.redis.call("FLUSHALL")
    await parts.plugin_settings.reconcile()
    assert parse(await parts.redis.call("GET", Keys().plugin_settings)).of("weather").values == {"days": 5}

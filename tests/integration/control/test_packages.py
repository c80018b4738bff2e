"""Packages of plugins by REST: taken in, activated, rolled back, removed, and what they may do."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from tests.integration.control.conftest import LogIn, Visit
from tests.unit.packaging.archives import HOSTILE, package

from botmatrix.bus.keys import Keys
from botmatrix.bus.packages import PackageBox
from botmatrix.control import fetch, shelf
from botmatrix.control.parts import Parts
from botmatrix.core.plugins import parse
from botmatrix.store.tables import Role

PATH = "/api/plugins"
PACKAGES = f"{PATH}/packages"
ZIP = {"Content-Type": "application/zip"}


async def upload(client: httpx.AsyncClient, data: bytes, **query: str) -> httpx.Response:
    return await client.post(PACKAGES, content=data, headers=ZIP, params=query)


async def detail(client: httpx.AsyncClient, plugin: str = "dice") -> dict[str, object]:
    answer = await client.get(f"{PATH}/{plugin}")
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


async def test_an_uploaded_package_is_what_every_worker_is_to_run(owner: httpx.AsyncClient, parts: Parts) -> None:
    data = package(name="Dice", permissions=["send_msg"])
    answer = await upload(owner, data, filename="dice_1.0.0.bmpk", sha256=hashlib.sha256(data).hexdigest())
    assert (answer.status_code, answer.json()["published"]) == (201, True)
    kept = answer.json()["package"]
    assert (kept["id"], kept["version"], kept["state"], kept["name"]) == ("dice", "1.0.0", "active", "Dice")
    chosen = parse(await parts.redis.call("GET", Keys().plugins)).wish("dice").package
    assert chosen is not None
    assert (chosen.sha256, chosen.size) == (hashlib.sha256(data).hexdigest(), len(data))
    assert await PackageBox(parts.redis, Keys()).piece(chosen.sha256, 0) == data
    again = await upload(owner, data)
    assert again.status_code == 200
    assert (await upload(owner, package(said="2"))).json()["error"] == "other_package"
    written = (await owner.get("/api/audit")).json()["audit"]
    assert {one["what"] for one in written} == {"plugin.package"}


async def test_versions_stand_side_by_side_and_go_forth_and_back(owner: httpx.AsyncClient) -> None:
    for version in ("1.0.0", "1.10.0", "1.9.0"):
        await upload(owner, package(version=version), activate="false")
    assert (await detail(owner))["package"] is None
    assert (await owner.post(f"{PATH}/dice/activate", json={"version": "1.9.0"})).json()["version"] == "1.9.0"
    assert (await owner.post(f"{PATH}/dice/activate", json={})).json()["version"] == "1.10.0"
    assert (await owner.post(f"{PATH}/dice/rollback")).json()["version"] == "1.9.0"
    states = {one["version"]: one["state"] for one in (await owner.get(PACKAGES)).json()["packages"]}
    assert states == {"1.0.0": "", "1.9.0": "active", "1.10.0": "previous"}
    assert (await owner.delete(f"{PATH}/dice/versions/1.9.0")).json()["error"] == "package_in_use"
    assert (await owner.delete(f"{PATH}/dice/versions/1.10.0")).status_code == 200
    refused = await owner.post(f"{PATH}/dice/rollback")
    assert (refused.status_code, refused.json()["error"]) == (409, "conflict")
    assert (await owner.delete(f"{PATH}/dice")).status_code == 200
    assert (await owner.get(PACKAGES)).json()["packages"] == []
    assert (await owner.post(f"{PATH}/dice/activate", json={})).json()["error"] == "unknown_package"


async def test_what_is_granted_is_what_was_asked_for_and_said_yes_to(owner: httpx.AsyncClient) -> None:
    await upload(owner, package(permissions=["send_msg", "get_group_info"]))
    assert (await detail(owner))["permissions"] == {
        "wanted": ["get_group_info", "send_msg"],
        "grants": None,
        "granted": [],
    }
    answer = await owner.put(f"{PATH}/dice/grants", json={"grants": ["send_msg", "set_group_kick"]})
    assert answer.status_code == 200
    found = (await detail(owner))["permissions"]
    assert isinstance(found, dict)
    assert (found["grants"], found["granted"]) == (["send_msg", "set_group_kick"], ["send_msg"])
    await owner.put(f"{PATH}/dice/grants", json={"grants": ["*"]})
    found = (await detail(owner))["permissions"]
    assert isinstance(found, dict)
    assert found["granted"] == ["get_group_info", "send_msg"]
    assert (await owner.put(f"{PATH}/dice/grants", json={"grants": ["rm -rf"]})).status_code == 422


@pytest.mark.parametrize("kind", ["cut off", "path out of it", "no manifest", "an id of BotMatrix's own"])
async def test_a_hostile_upload_is_refused_with_the_reason_and_nothing_is_kept(
    kind: str, owner: httpx.AsyncClient
) -> None:
    make, word = HOSTILE[kind]
    refused = await upload(owner, make())
    assert (refused.status_code, refused.json()["error"]) == (422, "bad_package")
    assert word in refused.json()["message"]
    assert (await owner.get(PACKAGES)).json()["packages"] == []


async def test_what_is_not_what_was_meant_is_refused(owner: httpx.AsyncClient) -> None:
    assert "sha256" in (await upload(owner, package(), sha256="0" * 64)).json()["message"]
    assert "its name says" in (await upload(owner, package(), filename="dice_2.bmpk")).json()["message"]


async def test_a_file_is_bounded_and_is_not_taken_from_a_page_of_another_site(
    owner: httpx.AsyncClient, visit: Visit
) -> None:
    async def drip() -> AsyncIterator[bytes]:
        for _ in range(52):
            yield b"x" * (1 << 20)

    refused = await owner.post(PACKAGES, content=drip(), headers=ZIP)
    assert (refused.status_code, refused.json()["message"]) == (413, "the body is larger than 50 MiB")
    form = {"Content-Type": "text/plain"}
    assert (await visit().post(PACKAGES, content=b"x", headers=form)).json()["error"] == "not_json"
    foreign = ZIP | {"Sec-Fetch-Site": "cross-site"}
    assert (await visit().post(PACKAGES, content=b"x", headers=foreign)).json()["error"] == "foreign_origin"


async def test_an_operator_installs_nothing(log_in: LogIn) -> None:
    operator = await log_in(Role.OPERATOR)
    assert (await upload(operator, package())).status_code == 403
    assert (await operator.post(f"{PACKAGES}/fetch", json={"url": "https://example.org/x"})).status_code == 403


async def test_a_package_is_laid_down_for_whoever_asks(
    owner: httpx.AsyncClient, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "EVERY", 0.05)
    code = "#" + "".join(f"{n:x}" for n in range(200_000))
    data = package(code=f'from botmatrix import Plugin\nplugin = Plugin(id="dice")\n{code}')
    digest = hashlib.sha256(data).hexdigest()
    await upload(owner, data)
    box = PackageBox(parts.redis, Keys())
    await parts.redis.call("FLUSHALL")
    task = asyncio.create_task(parts.shelf.run())
    try:
        await box.ask("f" * 64)
        await box.ask(digest)
        async with asyncio.timeout(20):
            while not await box.is_there(digest, len(data)):
                await asyncio.sleep(0.02)
    finally:
        task.cancel()
    found = [await box.piece(digest, number) or b"" for number in range(-(-len(data) // (256 * 1024)))]
    assert b"".join(found) == data
    assert await parts.redis.call("TTL", Keys().package(digest)) > 0


Serve = Callable[[bytes], Awaitable[bytes]]


@asynccontextmanager
async def web(answers: dict[str, bytes]) -> AsyncIterator[str]:
    """A web server of the test's own: path -> the whole answer."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ")[1].decode()
        writer.write(answers.get(path, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def ok(data: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(data) + data


def to(location: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


async def test_a_package_is_fetched_from_this_machine_and_pinned(owner: httpx.AsyncClient) -> None:
    data = package()
    async with web({"/dice_1.0.0.bmpk": to("/real"), "/real": ok(data), "/dice_2.bmpk": ok(data)}) as url:
        body = {"url": f"{url}/dice_1.0.0.bmpk", "sha256": hashlib.sha256(data).hexdigest(), "activate": False}
        answer = await owner.post(f"{PACKAGES}/fetch", json=body)
        assert (answer.status_code, answer.json()["published"]) == (201, None), answer.text
        wrong = await owner.post(f"{PACKAGES}/fetch", json=body | {"sha256": "0" * 64})
        assert wrong.json()["error"] == "bad_package"
        named = await owner.post(f"{PACKAGES}/fetch", json={"url": f"{url}/dice_2.bmpk"})
        assert "its name says" in named.json()["message"]


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("ftp://example.org/x.bmpk", "by https"),
        ("file:///etc/passwd", "no URL"),
        ("http://example.org/x.bmpk", "by http only from this machine"),
        ("http://169.254.169.254/latest/meta-data", "by http only"),
        ("https://169.254.169.254/latest/meta-data", "not asked"),
        ("https://0.0.0.0/", "not asked"),
        ("https://[::ffff:169.254.169.254]/", "not asked"),
        ("https://user:secret@example.org/x", "a user or a password"),
        ("//example.org", "by https"),
        ("https://", "no URL"),
        ("http://[", "by http"),
    ],
)
async def test_an_address_that_must_not_be_asked_is_refused(url: str, word: str, owner: httpx.AsyncClient) -> None:
    refused = await owner.post(f"{PACKAGES}/fetch", json={"url": url})
    assert (refused.status_code, refused.json()["error"]) == (422, "cant_fetch"), refused.text
    assert word in refused.json()["message"]
    assert "secret" not in refused.text


async def test_where_an_address_leads_on_is_judged_too(
    owner: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "LARGEST", 1000)
    endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"400\r\n" + b"x" * 1024 + b"\r\n"
    answers = {
        "/loop": to("/loop"),
        "/inside": to("https://10.0.0.1/x"),
        "/file": to("file:///etc/passwd"),
        "/other": to("https://127.0.0.2/x"),
        "/plain": to("http://example.org/"),
        "/large": ok(b"x" * 1001),
        "/endless": endless,
        "/empty": to(""),
    }
    words = {
        "/loop": "leads on more than",
        "/inside": "not public",
        "/file": "no URL",
        "/other": "not public",
        "/plain": "by http only",
        "/large": "larger than",
        "/endless": "larger than",
        "/gone": "answered 404",
        "/empty": "leads on more than",
    }
    async with web(answers) as base:
        for path, word in words.items():
            refused = await owner.post(f"{PACKAGES}/fetch", json={"url": base + path})
            assert word in refused.json()["message"], (path, refused.text)

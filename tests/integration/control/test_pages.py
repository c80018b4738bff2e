"""The pages: in the reader's language, nothing from outside, no data as markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re

import httpx
import pytest

from botmatrix.config.about import ABOUT
from botmatrix.control.assets import current_version, files, pack
from botmatrix.control.pages import LATER, WEB, import_map, words

SCRIPTS = sorted((WEB / "app").rglob("*.js"))


@pytest.mark.parametrize(
    ("accepted", "tag"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("zh-TW", "zh-CN"),
        ("fr, en;q=0.3, zh;q=0.8", "zh-CN"),
        ("en-GB,zh;q=0.9", "en"),
        ("zh;q=0", "en"),
        ("zh;q=x,,;", "en"),
        ("de", "en"),
    ],
)
async def test_the_page_speaks_the_readers_language(client: httpx.AsyncClient, accepted: str, tag: str) -> None:
    page = await client.get("/", headers={"Accept-Language": accepted})
    assert f'<html lang="{tag}" ' in page.text
    assert page.headers["vary"] == "Accept-Language, Cookie"


def test_both_languages_say_the_same_things() -> None:
    english, chinese = words("en"), words("zh")
    assert english.keys() == chinese.keys()
    assert all(english.values())
    assert all(chinese.values())


def test_every_text_that_a_script_names_exists_and_is_used() -> None:
    scripts = "".join(one.read_text("utf-8") for one in SCRIPTS)
    named = set(re.findall(r'\bt\("([\w.]+)"', scripts))
    named |= {key for key in words("en") if re.search(rf'\? t\("{key}"\)|: t\("{key}"\)', scripts)}
    known = words("en").keys()
    assert named <= known
    kinds = set(re.findall(r'\bword\("(\w+)"|\bt\(`(\w+)\.\$\{', scripts)) | {("state", "")}
    assert {key for key in known - named if key.partition(".")[0] not in set().union(*kinds)} == set()


def test_every_setting_has_a_name_and_a_meaning_in_the_config_center() -> None:
    for language in ("en", "zh"):
        known = words(language)
        assert {key for key in ABOUT if not (f"setting.{key}" in known and f"about.{key}" in known)} == set(), language
    assert {key: words("en")[f"about.{key}"] for key in ABOUT} == dict(ABOUT)


@pytest.mark.parametrize("path", ["/", "/docs"])
async def test_a_page_needs_nothing_from_outside_and_no_inline_code(client: httpx.AsyncClient, path: str) -> None:
    page = await client.get(path)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page.text)
    inline = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", page.text)
    assert inline == ([import_map()] if path == "/" else [])
    assert not re.search(r"<style|\son\w+=|\sstyle=", page.text)
    for place in set(re.findall(r'(?:src|href)="([^"#]+)"', page.text)) - {"docs", "readyz"}:
        assert (await client.get("/" + place)).status_code == 200, place


async def test_the_import_map_is_the_only_inline_script_that_may_run(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    digest = base64.b64encode(hashlib.sha256(import_map().encode()).digest()).decode()
    policy = page.headers["content-security-policy"]
    assert f"script-src 'self' 'sha256-{digest}';" in policy
    for file in json.loads(import_map())["imports"].values():
        assert (await client.get(file.removeprefix("."))).status_code == 200, file


def test_no_script_makes_markup_from_data() -> None:
    for script in SCRIPTS:
        text = script.read_text("utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text), (
            script
        )


async def test_assets_are_kept_for_ever_packed_and_known_by_their_content(client: httpx.AsyncClient) -> None:
    place = f"/assets/{current_version()}/app/main.js"
    found = await client.get(place)
    assert "immutable" in found.headers["cache-control"]
    assert found.headers["content-encoding"] == "gzip"
    assert found.headers["content-type"].startswith("text/javascript")
    plain = await client.get(place, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == found.content


@pytest.mark.parametrize("place", ["app/../../pages.py", "vendor/manifest.txt", "app/nothing.js", "%2e%2e/pages.py"])
async def test_nothing_but_the_consoles_files_is_served(client: httpx.AsyncClient, place: str) -> None:
    assert (await client.get(f"/assets/{current_version()}/{place}")).status_code == 404


async def test_a_page_of_another_version_is_told_so(client: httpx.AsyncClient) -> None:
    assert (await client.get("/assets/0000/app/main.js")).status_code == 404


def test_vendored_files_are_what_the_manifest_says() -> None:
    folder = WEB / "vendor"
    for package, said in json.loads((folder / "manifest.json").read_text("utf-8")).items():
        for name, digest in said["sha256"].items():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, f"{package} {name}"


def test_what_comes_before_the_first_paint_is_small() -> None:
    early = [name for name in files() if not name.startswith((*LATER, "vendor/manifest.json"))]
    assert sum(len(pack(name).packed) for name in early) < 200 * 1024


async def test_the_docs_list_every_operation(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs")).text
    for path in (await client.get("/openapi.json")).json()["paths"]:
        assert f"<code>{path}</code>" in page

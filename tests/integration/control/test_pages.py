"""The pages: in the reader's language, nothing from outside, no data as markup."""

from __future__ import annotations

import json
import re
from html import unescape

import httpx
import pytest

from botmatrix.control.pages import WEB, words


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
    assert f'<html lang="{tag}">' in page.text
    assert page.headers["vary"] == "Accept-Language"


def test_both_languages_say_the_same_things() -> None:
    english, chinese = words("en"), words("zh")
    assert english.keys() == chinese.keys()
    assert all(english.values())
    assert all(chinese.values())


async def test_every_text_that_the_page_names_exists(client: httpx.AsyncClient) -> None:
    page = (await client.get("/")).text
    script = (WEB / "static" / "status.js").read_text("utf-8")
    named = set(re.findall(r'data-t="(\w+)"', page)) | set(re.findall(r"words\.(\w+)", script))
    embedded = re.search(r'data-words="([^"]*)"', page)
    assert embedded is not None
    assert named <= json.loads(unescape(embedded[1])).keys()


@pytest.mark.parametrize("path", ["/", "/docs"])
async def test_a_page_needs_nothing_from_outside_and_no_inline_code(client: httpx.AsyncClient, path: str) -> None:
    page = await client.get(path)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page.text)
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=", page.text)
    for place in set(re.findall(r'(?:src|href)="([^"#]+)"', page.text)) - {"docs", "readyz"}:
        assert (await client.get("/" + place)).status_code == 200, place


def test_the_script_never_makes_markup_from_data() -> None:
    script = (WEB / "static" / "status.js").read_text("utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", script)


async def test_the_docs_list_every_operation(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs")).text
    for path in (await client.get("/openapi.json")).json()["paths"]:
        assert f"<code>{path}</code>" in page

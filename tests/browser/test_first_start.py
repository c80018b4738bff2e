"""A newcomer with nothing but `botmatrix up`: from the generated password to the first answered message."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from tests.browser.conftest import CHROMIUM, PASSWORD, Watched
from tests.browser.talking import Talker
from tests.integration.test_up import Up
from websockets.exceptions import InvalidStatus

PATIENCE = 60_000
"""Milliseconds for what crosses several processes of a busy machine."""


@pytest.fixture(scope="module")
def fresh() -> Iterator[Up]:
    """`botmatrix up` in a folder that has nothing in it."""
    if CHROMIUM is None:
        pytest.skip("the browser tests need chromium: apt-get install chromium")
    folder = Path(tempfile.mkdtemp(prefix="botmatrix-first-"))
    up = Up(folder / "home")
    try:
        yield up.ready()
    finally:
        up.end()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def newcomer(browser: Browser, fresh: Up) -> Iterator[Watched]:
    """Somebody at the printed address, with the printed password."""
    found = re.search(r"Console +(http://\S+)", fresh.text)
    assert found is not None
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    yield Watched(context, found[1])
    context.close()


def test_a_first_start_ends_with_an_answered_message(newcomer: Watched, fresh: Up) -> None:
    page = newcomer.page
    _choose_a_password(page, newcomer.address, (fresh.home / "admin-password.txt").read_text().strip())
    _try_the_chat_first(newcomer)
    newcomer.show("setup")
    url, token = _see_how_to_connect(page)
    with pytest.raises(InvalidStatus):
        Talker(url, "not-" + token)
    turned_away = page.get_by_role("alert").filter(has_text="20002: 403 the token is wrong")
    turned_away.wait_for(timeout=PATIENCE)
    bot = Talker(url, token)
    step = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="Watch it arrive"))
    step.get_by_role("link", name="qq:20002").wait_for(timeout=PATIENCE)
    page.get_by_role("heading", name="Connect a bot's client (done)").wait_for()
    page.get_by_text("Listening for what it hears…").wait_for()
    bot.say("/ping", 456)
    bot.hears("pong")
    page.get_by_text("answered", exact=True).wait_for(timeout=PATIENCE)
    page.get_by_role("heading", name="Send the first message (done)").wait_for()
    page.get_by_text("Or have the bot say something").click()
    page.fill("[name=target]", "77")
    page.get_by_role("button", name="Send", exact=True).click()
    page.locator(".answer").get_by_text("done").wait_for()
    bot.close()
    assert newcomer.wrong == []


def _choose_a_password(page: Page, address: str, generated: str) -> None:
    page.goto(address)
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", generated)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Set-up", level=1).wait_for()
    assert page.get_by_text("You use the password that was generated").count() == 1
    page.fill("[name=old_password]", generated)
    page.fill("[name=new_password]", PASSWORD)
    page.get_by_role("button", name="Change password").click()
    page.get_by_role("heading", name="Choose your password (done)").wait_for()
    page.get_by_text("You use the password that was generated").wait_for(state="detached")


def _try_the_chat_first(newcomer: Watched) -> None:
    """Its simulated bot is none: the dashboard goes on saying how to connect one."""
    newcomer.show("chat").get_by_text("online", exact=True).wait_for(timeout=PATIENCE)
    page = newcomer.show("dashboard")
    page.get_by_role("heading", name="Connect your first bot").wait_for(timeout=PATIENCE)
    page.locator(".figure").filter(has_text="Bots").get_by_text("of 0 online").wait_for(timeout=PATIENCE)


def _see_how_to_connect(page: Page) -> tuple[str, str]:
    """The URL and the token that a person would copy, and the same in the text for a client."""
    page.get_by_text("Waiting for a client to connect.").wait_for()
    page.get_by_role("button", name="Show", exact=True).click()
    url, token = page.locator(".connect dd code").all_inner_texts()
    page.fill("#number", "20002")
    page.get_by_text("onebot11_20002.json").wait_for()
    network = json.loads(page.locator(".setup pre.payload").first.inner_text())["network"]
    assert [(one["url"], one["token"]) for one in network["websocketClients"]] == [(url, token)]
    return url, token

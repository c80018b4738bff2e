"""Pictures of every page for docs/console, of a town whose people talk: `make screenshots`."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page
from tests.browser.conftest import CHROMIUM, PASSWORD, TOKEN, Visit
from tests.browser.friendly import Town, arrange, furnish, schedule
from tests.integration.test_up import Up

FOLDER = Path(__file__).parents[2] / "docs" / "console"
PLACES = {
    "dashboard": "dashboard",
    "topology": "topology",
    "bots": "bots",
    "bot": "bots/qq:10001",
    "workers": "workers",
    "routing": "routing",
    "routing-try": "routing/try",
    "plugins": "plugins",
    "plugin": "plugins/weather",
    "skills": "skills",
    "tasks": "tasks",
    "executions": "tasks/executions",
    "messages": "messages",
    "messages-live": "messages/live",
    "trace": "messages/events?outcome=answered",
    "chat": "chat",
    "queues": "queues",
    "dead-letters": "queues/dead",
    "config": "config",
    "config-judge": "config/judge",
    "config-limits": "config/limits",
    "config-alerts": "config/alerts",
    "users": "users",
    "logs": "logs?part=nexus",
    "audit": "audit",
    "account": "account",
    "setup": "setup",
}
QUIET_MS = 1500


@pytest.fixture(scope="session")
def console() -> Iterator[str]:
    """The address of the console of the town."""
    if CHROMIUM is None:
        pytest.skip("the pictures need chromium: apt-get install chromium")
    folder = Path(tempfile.mkdtemp(prefix="botmatrix-pictures-"))
    home = folder / "home"
    home.mkdir(mode=0o700)
    settings = {"default_admin_password": PASSWORD, "bot_token": TOKEN, "enable_skill": True}
    (home / "config.json").write_text(json.dumps(settings))
    furnish(home)
    up = Up(home).ready()
    try:
        found = re.search(r"Console +(http://\S+)", up.text)
        assert found is not None
        with httpx.Client(base_url=found[1]) as admin:
            admin.post("/api/login", json={"username": "admin", "password": PASSWORD}).raise_for_status()
            arrange(admin)
            gateway = admin.get("/api/connect-info").json()["url"]
        town = Town(gateway, TOKEN)
        with httpx.Client(base_url=found[1]) as admin:
            admin.post("/api/login", json={"username": "admin", "password": PASSWORD}).raise_for_status()
            schedule(admin)
        yield found[1]
        town.close()
    finally:
        up.end()
        shutil.rmtree(folder, ignore_errors=True)


def talk(page: Page) -> None:
    """Something to see in the chat."""
    page.locator("[name=words]").wait_for()
    for line in ("/ping", "@BotMatrix /weather Oslo", "Good morning everybody", "/help echo"):
        page.fill("[name=words]", line)
        page.keyboard.press("Enter")
        page.wait_for_timeout(300)


def follow(page: Page) -> None:
    """One event's road."""
    page.get_by_role("link", name=re.compile("^(Trace|追踪) ")).first.click()
    page.locator(".road li").first.wait_for()


def ask(page: Page) -> None:
    """What would become of a message."""
    page.fill("[name=bot]", "qq:10001")
    page.fill("[name=user]", "2001")
    page.fill("[name=group]", "460")
    page.locator("form .btn-primary").click()
    page.locator(".stack").wait_for()


ACTS: dict[str, Any] = {"chat": talk, "trace": follow, "routing-try": ask}


@pytest.mark.parametrize(("locale", "theme", "width"), [("en-GB", "light", 1440), ("zh-CN", "dark", 390)])
def test_pictures(visit: Visit, locale: str, theme: str, width: int) -> None:
    FOLDER.mkdir(exist_ok=True)
    watched = visit(locale, theme, width)
    watched.page.goto(watched.address)
    watched.page.wait_for_selector("form")
    watched.page.screenshot(path=FOLDER / f"login-{theme}.png")
    watched.log_in()
    watched.show("dashboard").locator(".u-legend").first.wait_for(timeout=60_000)
    for name, place in PLACES.items():
        page = watched.show(place)
        if name in ACTS:
            ACTS[name](page)
        page.wait_for_timeout(QUIET_MS)
        page.screenshot(path=FOLDER / f"{name}-{theme}.png")

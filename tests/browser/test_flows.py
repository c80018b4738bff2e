"""What people do from page to page, in a matrix of their own, which is started again meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page
from tests.browser.conftest import Watched, matrix

PATIENCE = 120_000
"""Milliseconds for a restart of all parts on a busy machine."""


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[str, str]]:
    """The console and the gateway."""
    with matrix() as found:
        yield found


@pytest.fixture
def watched(browser: Browser, place: tuple[str, str]) -> Iterator[Watched]:
    """The administrator, logged in."""
    context: BrowserContext = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    yield Watched(context, place[0]).log_in()
    context.close()


def test_the_skill_system_is_switched_on_by_a_restart_and_the_page_comes_back(watched: Watched) -> None:
    page = watched.show("config")
    page.get_by_role("switch", name="Enable Skill System").check()
    page.get_by_role("region", name="Unsaved changes").get_by_role("button", name="Save").click()
    asked = page.get_by_role("dialog", name="Saved.")
    asked.get_by_role("button", name="Later").click()
    page.get_by_text("Waiting for a restart: Enable Skill System.").wait_for()
    _restart(page)
    page.get_by_role("heading", name="Config Center").wait_for(timeout=PATIENCE)
    assert page.get_by_role("switch", name="Enable Skill System").is_checked()
    assert page.get_by_text("Waiting for a restart").count() == 0
    enable_skill = page.evaluate(
        "fetch('api/admin/config').then(one => one.json()).then(one => one.config.enable_skill)"
    )
    assert (enable_skill["value"], enable_skill["source"]) == (True, "database")


def _restart(page: Page) -> None:
    """Restart by the button in the head of the page, and wait until it loads anew."""
    page.get_by_role("button", name="Restart").first.click()
    with page.expect_navigation(timeout=PATIENCE):
        page.get_by_role("dialog", name="Restart").get_by_role("button", name="Restart now").click()

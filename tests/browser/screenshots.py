"""Pictures of every page for docs/console: `make screenshots`."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.browser.conftest import BOT, Visit

FOLDER = Path(__file__).parents[2] / "docs" / "console"
PLACES = {
    "dashboard": "dashboard",
    "bots": "bots",
    "bot": f"bots/{BOT}",
    "workers": "workers",
    "routing": "routing/try",
    "queues": "queues",
    "logs": "logs",
    "audit": "audit",
}


@pytest.mark.parametrize(("locale", "theme", "width"), [("en-GB", "light", 1440), ("zh-CN", "dark", 390)])
def test_pictures(visit: Visit, locale: str, theme: str, width: int) -> None:
    FOLDER.mkdir(exist_ok=True)
    watched = visit(locale, theme, width).log_in()
    watched.show("dashboard").locator(".u-legend").first.wait_for(timeout=60_000)
    for name, place in PLACES.items():
        watched.show(place).wait_for_timeout(500)
        watched.page.screenshot(path=FOLDER / f"{name}-{theme}.png")

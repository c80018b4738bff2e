"""A whole BotMatrix, a bot that says hostile things, and a browser that looks at the console."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from tests.browser.payloads import PAYLOADS
from tests.integration.test_up import Up
from websockets.sync.client import ClientConnection, connect

PASSWORD = "correct horse battery"
TOKEN = "the-bot-token"
CHROMIUM = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)
BOT = "qq:10001"
VIEWER, OPERATOR = "the-viewer", "the-operator"

try:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, sync_playwright
except ImportError:  # pragma: no cover
    pytest.skip("the browser tests need playwright", allow_module_level=True)


class Hostile:
    """A bot whose name, groups and messages are payloads."""

    def __init__(self, link: ClientConnection) -> None:
        self._link, self._thread = link, threading.Thread(target=self._answer, daemon=True)
        self._thread.start()

    def _answer(self) -> None:
        for frame in self._link:
            asked = json.loads(frame)
            if "action" in asked:
                self._link.send(
                    json.dumps(
                        {"status": "ok", "retcode": 0, "data": _data(asked["action"]), "echo": asked.get("echo")}
                    )
                )

    def say(self, text: str, number: int) -> None:
        """A message in the group 456."""
        event = {
            **{"time": int(time.time()), "self_id": 10001, "post_type": "message", "message_type": "group"},
            **{"sub_type": "normal", "message_id": number, "group_id": 456, "user_id": 2000 + number % 7, "font": 0},
            **{"message": [{"type": "text", "data": {"text": text}}], "raw_message": text},
            "sender": {"user_id": 2000, "nickname": PAYLOADS[number % len(PAYLOADS)]},
        }
        self._link.send(json.dumps(event))

    def close(self) -> None:
        """Hang up."""
        self._link.close()
        self._thread.join(5)


def _data(action: str) -> Any:
    if action == "get_login_info":
        return {"user_id": 10001, "nickname": PAYLOADS[0]}
    if action == "get_group_list":
        return [{"group_id": 456 + at, "group_name": payload} for at, payload in enumerate(PAYLOADS)]
    return {"message_id": 1}


@pytest.fixture(scope="session")
def console() -> Iterator[str]:
    """The address of the console of a running matrix with one bot and users of three roles."""
    with matrix() as place:
        headers = {"X-Self-ID": "10001", "X-Client-Role": "Universal", "Authorization": f"Bearer {TOKEN}"}
        with connect(place.gateway, additional_headers=headers) as link:
            bot = Hostile(link)
            for number, payload in enumerate(PAYLOADS):
                bot.say(payload, number)
            yield place.console
            bot.close()


class Place(NamedTuple):
    """A matrix that runs: the addresses of its console and its gateway, and its data folder."""

    console: str
    gateway: str
    home: Path


@contextmanager
def matrix(plugins: Mapping[str, str] | None = None, **settings: Any) -> Iterator[Place]:
    """A matrix that runs, with users of three roles and these plugins: the name of each file, and what it holds."""
    if CHROMIUM is None:
        pytest.skip("the browser tests need chromium: apt-get install chromium")
    folder = Path(tempfile.mkdtemp(prefix="botmatrix-browser-"))
    home = folder / "home"
    home.mkdir(mode=0o700)
    given = {"default_admin_password": PASSWORD, "bot_token": TOKEN, **settings}
    (home / "config.json").write_text(json.dumps(given))
    for name, text in (plugins or {}).items():
        (home / "plugins").mkdir(exist_ok=True)
        (home / "plugins" / name).write_text(text, "utf-8")
    up = Up(home).ready()
    try:
        found = re.search(r"Console +(http://\S+)", up.text)
        assert found is not None
        yield Place(found[1], _prepare(found[1]), home)
    finally:
        up.end()
        shutil.rmtree(folder, ignore_errors=True)


def _prepare(address: str) -> str:
    """Make users; answers the gateway's URL."""
    with httpx.Client(base_url=address) as admin:
        admin.post("/api/login", json={"username": "admin", "password": PASSWORD}).raise_for_status()
        for name, role in ((VIEWER, "viewer"), (OPERATOR, "operator")):
            body = {"action": "create", "username": name, "password": PASSWORD, "role": role}
            admin.post("/api/admin/users", json=body).raise_for_status()
        url: str = admin.get("/api/connect-info").json()["url"]
        return url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's chromium. For one module: playwright keeps an event loop, and other tests have their own."""
    if CHROMIUM is None:
        pytest.skip("the browser tests need chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


class Watched:
    """A page, and everything that went wrong on it."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.page: Page = context.new_page()
        self.address = address
        self.wrong: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("dialog", self._asked)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not _says_skills_are_off(message):
            self.wrong.append(message.text)

    def _asked(self, dialog: Dialog) -> None:
        self.wrong.append(f"a script ran: {dialog.message}")
        dialog.dismiss()

    def log_in(self, username: str = "admin") -> Watched:
        """Through the form."""
        self.page.goto(self.address)
        self.page.fill("[name=username]", username)
        self.page.fill("[name=password]", PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector(".shell")
        return self

    def show(self, place: str) -> Page:
        """Go to a page of the console and wait until it has its data."""
        self.page.goto(f"{self.address}/#/{place}")
        self.page.wait_for_selector("main h1")
        self.page.wait_for_selector(".skeleton", state="detached")
        return self.page


def _says_skills_are_off(message: ConsoleMessage) -> bool:
    """A browser logs every refusal; by this one a page learns that the skill system is off."""
    about = re.search(r"/api/(skills|tasks|tags)\b", message.location["url"])
    return about is not None and "status of 409" in message.text


Visit = Callable[..., Watched]


@pytest.fixture
def visit(browser: Browser, console: str) -> Iterator[Visit]:
    """Opens a page with a language, a theme and a width."""
    contexts: list[BrowserContext] = []

    def make(locale: str = "en-GB", theme: Any = "light", width: int = 1440, address: str = "") -> Watched:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, locale=locale, color_scheme=theme, reduced_motion="reduce"
        )
        contexts.append(context)
        return Watched(context, address or console)

    yield make
    for context in contexts:
        context.close()

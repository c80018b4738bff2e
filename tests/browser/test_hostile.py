"""What plugins, clients and colleagues call their things is text on every page, and runs nowhere."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest
from playwright.sync_api import FilePayload
from tests.browser.conftest import PASSWORD, TOKEN, Place, Visit, Watched, matrix
from tests.browser.payloads import PAYLOADS
from tests.browser.talking import Talker
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

PATIENCE: Final = 60_000
ALL: Final = " ".join(PAYLOADS)
FIRST: Final = PAYLOADS[0]
NAMED: Final = f"""
from typing import Literal

from botmatrix import Context, Plugin
from pydantic import BaseModel, Field

ALL = {ALL!r}


class Config(BaseModel):
    words: str = Field(ALL, title=ALL, description=ALL, examples=[ALL])
    choice: Literal[{PAYLOADS[0]!r}, {PAYLOADS[1]!r}] = {PAYLOADS[0]!r}
    many: list[str] = [ALL]
    deep: dict[str, str] = {{ALL: ALL}}


plugin = Plugin(id="named", name=ALL, version="1.0.0", description=ALL, config=Config, permissions={{"send_msg"}})


@plugin.command("named", description=ALL)
async def named(ctx: Context) -> str:
    for payload in {PAYLOADS!r}:
        ctx.log.warning("%s", payload)
    return ALL


@plugin.skill("named", description=ALL)
async def skill(words: str = ALL) -> str:
    return ALL
"""
BROKEN: Final = f"raise RuntimeError({ALL!r})\n"
PLACES: Final = (
    *("dashboard", "topology", "topology/list", "setup", "bots", "bots/qq:20002", "workers", "messages"),
    *("messages/events", "plugins", "plugins/named", "plugins/broken", "skills", "skills/executions", "tasks"),
    *("tasks/executions", "routing", "routing/groups", "queues/dead", "config", "config/judge", "config/alerts"),
    *("config/appearance", "users", "users/keys", "users/logins", "users/identities", "logs", "audit", "account"),
)
MARKUP: Final = """[...document.querySelectorAll('*')].filter(one => one.localName.includes('<')
    || ['iframe', 'object', 'embed', 'base', 'math', 'video'].includes(one.localName)
    || one.matches('img[src=x], meta[http-equiv=refresh]')
    || one.matches(':is(main, dialog) :is(script, style, link, noscript, template)')
    || [...one.attributes].some(at => at.name.startsWith('on') || at.value.trim().startsWith('javascript:')
        && ['href', 'src', 'action', 'data', 'xlink:href', 'formaction'].includes(at.name)))
    .map(one => one.outerHTML.slice(0, 200))"""


@pytest.fixture(scope="module")
def running() -> Iterator[Place]:
    """A matrix with two plugins: one with payloads wherever it says something, and one that fails with them."""
    with matrix({"named.py": NAMED, "broken.py": BROKEN}, enable_skill=True) as found:
        yield found


@pytest.fixture(scope="module")
def bot(running: Place) -> Iterator[Talker]:
    """A bot that is online, and was answered by the plugin."""
    _refused(running)
    made = Talker(running.gateway, TOKEN)
    made.asks("/named", "alert(1)")
    yield made
    made.close()


@pytest.fixture(scope="module")
def place(running: Place, bot: Talker) -> Place:
    """The same, with what colleagues have named."""
    with httpx.Client(base_url=running.console, timeout=60) as admin:
        _furnish(admin)
    return running


def _refused(place: Place) -> None:
    """A client that is turned away, and has a payload in everything that it says of itself."""
    headers = {"X-Self-ID": FIRST, "User-Agent": FIRST, "Authorization": f"Bearer {FIRST}"}
    with pytest.raises(InvalidStatus), connect(place.gateway, additional_headers=headers):
        pass


def _furnish(admin: httpx.Client) -> None:
    """Whatever a colleague may name."""

    def post(path: str, **body: Any) -> dict[str, Any]:
        answer = admin.post(path, json=body)
        assert answer.is_success, answer.text
        made: dict[str, Any] = answer.json()
        return made

    post("/api/login", username="admin", password=PASSWORD)
    said = {"bot_id": "qq:20002", "message": ALL, "group_id": "456"}
    later = {"time": "2099-01-01T00:00:00Z"}
    for name in PAYLOADS[:5]:
        made = post(
            "/api/tasks", name=name, type="once", trigger_config=later, action_type="send_message", action_params=said
        )
    post(f"/api/tasks/{made['task']['id']}/run")
    post("/api/skills/named/call", params={"words": ALL}, timeout=30)
    post("/api/alerts", action="create", name=FIRST, kind="queue_depth", threshold=1)
    post("/api/admin/core", sensitive_words={"system": {"plain": list(PAYLOADS)}})
    post("/api/action", bot="qq:20002", action="send_msg", params={"user_id": 1, "message": ALL})


@pytest.fixture
def watched(visit: Visit, place: Place) -> Watched:
    """The administrator, logged in there."""
    return visit(address=place.console).log_in()


def inert(watched: Watched) -> None:
    """Nothing on the page came from a payload but text."""
    assert watched.page.evaluate(MARKUP) == [], watched.page.url
    assert watched.wrong == [], watched.page.url


def test_no_page_takes_a_name_for_markup(watched: Watched) -> None:
    for where in PLACES:
        watched.show(where).wait_for_timeout(200)
        inert(watched)


def test_a_plugin_is_shown_as_it_calls_itself_and_its_settings(watched: Watched) -> None:
    page = watched.show("plugins/named")
    assert page.input_value("[name=words]") == ALL
    assert page.get_by_text(ALL).count() > 0
    page.get_by_role("log").get_by_text(PAYLOADS[-1]).first.wait_for(timeout=PATIENCE)
    watched.show("plugins/broken").get_by_text(f"RuntimeError: {ALL}").first.wait_for()
    inert(watched)


def test_log_lines_stay_text_while_they_come(watched: Watched, bot: Talker) -> None:
    page = watched.show("logs?q=onerror")
    page.get_by_role("log").get_by_text(FIRST).first.wait_for(timeout=PATIENCE)
    before = page.locator(".line").count()
    bot.say("/named", 457)
    page.wait_for_function("before => document.querySelectorAll('.line').length > before", arg=before, timeout=PATIENCE)
    inert(watched)


def test_a_skill_is_called_and_answers_as_text(watched: Watched) -> None:
    page = watched.show("skills")
    page.get_by_role("cell", name=FIRST).first.wait_for(timeout=PATIENCE)
    page.get_by_role("button", name="Call named").click()
    page.get_by_role("dialog").get_by_role("button", name="Call", exact=True).click()
    page.locator("dialog .answer pre").get_by_text(FIRST).wait_for(timeout=PATIENCE)
    inert(watched)


def test_the_help_of_a_plugin_is_text_in_the_chat(watched: Watched) -> None:
    page = watched.show("chat")
    page.get_by_text("online", exact=True).wait_for()
    for line in ("/help", "/help named"):
        page.fill("[name=words]", line)
        page.keyboard.press("Enter")
        page.locator(".bubble.bot").last.get_by_text(FIRST).wait_for(timeout=PATIENCE)
    inert(watched)


def test_a_package_that_is_no_plugin_is_refused_in_words(watched: Watched) -> None:
    page = watched.show("plugins")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("plugin.json", json.dumps({"id": FIRST, "version": FIRST, "name": FIRST}))
        archive.writestr(f"{FIRST}.py", "")
    page.get_by_role("button", name="Install").click()
    file = FilePayload(name=f"{FIRST}.bmpk", mimeType="application/zip", buffer=packed.getvalue())
    page.set_input_files("#package-file", file)
    page.get_by_role("dialog").get_by_role("button", name="Install").click()
    page.get_by_role("dialog").get_by_role("alert").nth(1).wait_for()
    assert page.evaluate(MARKUP) == []

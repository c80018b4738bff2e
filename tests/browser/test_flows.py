"""What people do from page to page, in a matrix of their own, which is started again meanwhile."""

from __future__ import annotations

import io
import json
import subprocess
import time
import zipfile
from collections.abc import Iterator

import httpx
import pytest
import redis
from playwright.sync_api import Browser, BrowserContext, FilePayload, Locator, Page
from tests.browser.conftest import TOKEN, Place, Watched, matrix
from tests.browser.talking import Talker
from tests.integration.plugins.children import write_isolated
from tests.integration.test_up import COMMAND, environment

from botmatrix.bus.keys import Keys
from botmatrix.config import load
from botmatrix.embedded.running import connected

PATIENCE = 120_000
"""Milliseconds for a restart of all parts on a busy machine."""
WEATHER = """
from botmatrix import Plugin

plugin = Plugin(id="weather", version="1.0.0")


@plugin.skill("weather", description="The weather of a city")
async def weather(city: str, days: int = 1) -> str:
    return f"{city}: sunny for {days} days"
"""


DICE = """
from pydantic import BaseModel

from botmatrix import Context, Plugin


class Config(BaseModel):
    sides: int = 6


plugin = Plugin(id="dice", version="VERSION", config=Config)


@plugin.command("roll", bare=True)
async def roll(ctx: Context) -> str:
    return f"VERSION of {ctx.config.sides}"
"""


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """A matrix with a plugin that has a skill."""
    with matrix({"weather.py": WEATHER}) as found:
        yield found


@pytest.fixture
def watched(browser: Browser, place: Place) -> Iterator[Watched]:
    """The administrator, logged in."""
    context: BrowserContext = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    yield Watched(context, place.console).log_in()
    context.close()


@pytest.fixture
def bot(place: Place) -> Iterator[Talker]:
    """A bot that is online."""
    made = Talker(place.gateway, TOKEN)
    yield made
    made.close()


def test_the_skill_system_is_switched_on_by_a_restart_and_the_page_comes_back(watched: Watched) -> None:
    page = watched.show("skills")
    page.get_by_text("The skill system is off").wait_for()
    page.get_by_role("main").get_by_role("link", name="Config Center").click()
    page.get_by_role("switch", name="Enable Skill System").check()
    page.get_by_role("region", name="Unsaved changes").get_by_role("button", name="Save").click()
    page.get_by_role("dialog", name="Saved.").get_by_role("button", name="Later").click()
    page.get_by_text("Waiting for a restart: Enable Skill System.").wait_for()
    page.get_by_role("button", name="Restart").first.click()
    with page.expect_navigation(timeout=PATIENCE):
        page.get_by_role("dialog", name="Restart").get_by_role("button", name="Restart now").click()
    page.get_by_role("switch", name="Enable Skill System").wait_for(timeout=PATIENCE)
    assert page.get_by_role("switch", name="Enable Skill System").is_checked()
    assert page.get_by_text("Waiting for a restart").count() == 0
    setting = page.evaluate("fetch('api/admin/config').then(one => one.json()).then(one => one.config.enable_skill)")
    assert (setting["value"], setting["source"]) == (True, "database")


def test_a_skill_is_called_by_its_form(watched: Watched) -> None:
    page = watched.show("skills")
    page.get_by_role("button", name="Call weather").click(timeout=PATIENCE)
    page.fill("dialog [name=city]", "Hamburg")
    page.fill("dialog [name=days]", "2")
    page.get_by_role("dialog").get_by_role("button", name="Call", exact=True).click()
    page.get_by_role("dialog").get_by_text("Hamburg: sunny for 2 days").wait_for(timeout=PATIENCE)
    watched.show("skills/executions").get_by_role("cell", name="Hamburg: sunny for 2 days").wait_for()
    assert watched.wrong == []


def test_a_user_and_a_key_are_made_and_taken_away(watched: Watched) -> None:
    page = watched.show("users")
    page.get_by_role("button", name="Add a user").click()
    page.fill("dialog [name=username]", "li.wei")
    page.fill("dialog [name=password]", "correct horse battery")
    page.select_option("dialog [name=role]", "operator")
    page.get_by_role("dialog").get_by_role("button", name="Add a user").click()
    page.get_by_role("button", name="Bar li.wei").click()
    page.get_by_text("barred").wait_for()
    page.get_by_role("button", name="Delete li.wei").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.get_by_role("cell", name="li.wei", exact=True).wait_for(state="detached")
    watched.show("users/keys").get_by_role("button", name="Make a key").click()
    page.fill("dialog [name=name]", "script")
    page.get_by_role("dialog").get_by_role("button", name="Make a key").click()
    token = page.locator("dialog code").first.inner_text()
    with httpx.Client(base_url=watched.address, headers={"Authorization": f"Bearer {token}"}) as script:
        assert script.get("/api/me").json()["may"] == "viewer"
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Delete script").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.get_by_text("No API keys").wait_for()
    assert watched.wrong == []


def test_a_bot_that_goes_away_is_told_of_and_so_is_its_return(watched: Watched, place: Place) -> None:
    bot = Talker(place.gateway, TOKEN)
    page = watched.show("bots")
    page.get_by_role("row", name="qq:20002").get_by_text("online").wait_for(timeout=PATIENCE)
    page.wait_for_timeout(3000)
    bot.close()
    page.locator(".toasts").get_by_text("The bot qq:20002 went offline.").wait_for(timeout=PATIENCE)
    bot = Talker(place.gateway, TOKEN)
    page.locator(".toasts").get_by_text("The bot qq:20002 is back.").wait_for(timeout=PATIENCE)
    page.get_by_role("button", name="Notifications").click()
    said = page.get_by_role("region", name="Notifications")
    assert said.get_by_role("listitem").count() >= 2
    page.keyboard.press("Escape")
    said.wait_for(state="detached")
    bot.close()


def test_a_rule_acts_within_a_moment_and_says_why_nobody_answers(watched: Watched, bot: Talker) -> None:
    bot.say("/ping", 456)
    bot.hears("pong")
    page = watched.show("routing")
    page.get_by_role("button", name="Add a rule").click()
    page.fill("dialog [name=key]", "group_456")
    page.fill("dialog [name=worker_id]", "block")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    page.get_by_role("cell", name="group_456", exact=True).wait_for()
    blocked = "fetch('api/traces?group=456&outcome=blocked').then(one => one.json()).then(one => one.total > 0)"
    deadline = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(blocked):
        assert time.monotonic() < deadline
        bot.say("/ping", 456)
        page.wait_for_timeout(1000)
    watched.show("routing/try").fill("[name=bot]", "qq:20002")
    page.fill("[name=user]", "77")
    page.fill("[name=group]", "456")
    page.get_by_role("button", name="Try it").click()
    page.get_by_text("group_456 → block").first.wait_for()
    watched.show("routing").get_by_role("button", name="Delete group_456").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.get_by_text("No rules").wait_for()
    assert watched.wrong == []


def test_wildcard_rules_are_put_in_order(watched: Watched) -> None:
    page = watched.show("routing")
    for key in ("group_1*", "group_12*"):
        page.get_by_role("button", name="Add a rule").click()
        page.fill("dialog [name=key]", key)
        page.fill("dialog [name=worker_id]", "pool:default")
        page.get_by_role("dialog").get_by_role("button", name="Save").click()
        page.get_by_role("cell", name=key, exact=True).wait_for()
    second = page.locator(".rows tbody tr").nth(1).locator("td").first.inner_text()
    page.get_by_role("button", name=f"Move up {second}").click()
    page.locator(".rows tbody tr").first.get_by_role("cell", name=second, exact=True).wait_for()
    for key in ("group_1*", "group_12*"):
        page.get_by_role("button", name=f"Delete {key}").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        page.get_by_role("cell", name=key, exact=True).wait_for(state="detached")


def test_a_dead_letter_is_read_and_replayed(watched: Watched, bot: Talker, place: Place) -> None:
    _bury(place, bot.event("/ping", 789))
    page = watched.show("queues/dead")
    page.get_by_role("button", name="Read").click()
    assert '"raw_message": "/ping"' in page.locator("dialog pre").inner_text()
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Replay ", exact=False).last.click()
    assert "789" in bot.hears("pong")
    page.get_by_text("No dead letters").wait_for()
    assert watched.wrong == []


def test_a_plugin_is_put_in_configured_loaded_anew_and_rolled_back(watched: Watched, bot: Talker) -> None:
    page = watched.show("plugins")
    _install(page, "1.0.0")
    page.get_by_role("heading", name="dice", level=1).wait_for()
    bot.asks("roll", "1.0.0 of 6")
    page.fill("[name=sides]", "20")
    page.get_by_role("button", name="Save").first.click()
    bot.asks("roll", "1.0.0 of 20")
    watched.show("plugins")
    _install(page, "1.1.0")
    bot.asks("roll", "1.1.0 of 20")
    page.get_by_role("button", name="Reload").click()
    page.get_by_text("dice is loaded anew.").wait_for()
    page.get_by_role("button", name="Roll back to 1.0.0").click()
    bot.asks("roll", "1.0.0 of 20")
    page.get_by_role("checkbox", name="get_group_info").check()
    page.get_by_role("button", name="Save").last.click()
    page.get_by_text("Saved; it acts within a second.").first.wait_for()
    page.get_by_role("button", name="Switch off").click()
    page.get_by_role("button", name="Switch on").wait_for()
    assert watched.wrong == []


def _running(watched: Watched, place: Place, name: str, code: str, word: str) -> tuple[Page, Locator]:
    """The page of a plugin that hears one word in a process of its own, and the list of its workers there."""
    write_isolated(place.home, code, name, events=[], intents=[{"name": word, "keywords": [word]}])
    (place.home / "plugins").mkdir(exist_ok=True)
    (place.home / name).rename(place.home / "plugins" / name)
    page = watched.show("plugins")
    page.get_by_role("link", name=name).click()
    workers = page.get_by_role("region", name="Workers")
    workers.get_by_text("running pid").wait_for()
    return page, workers


def test_what_a_plugin_asks_for_and_may_not_is_counted_on_its_page(watched: Watched, bot: Talker, place: Place) -> None:
    kick = "for m in messages(): say(id=m['id'], ok=True, actions=[{'type': 'kick_user', 'target': '5'}])"
    _, workers = _running(watched, place, "thief", kick, "steal")
    assert "refused" not in workers.inner_text()
    bot.say("steal it", 456)
    workers.get_by_text("refused: 1 (kick_user)").wait_for()
    assert watched.wrong == []


def test_a_plugin_in_quarantine_says_so_before_anything_else(watched: Watched, bot: Talker, place: Place) -> None:
    page, workers = _running(watched, place, "crash", "for m in messages(): sys.exit(3)", "die")
    quarantined = workers.get_by_text("quarantined · restarts: 4")
    for number in range(120):  # it is started again after 1, 2, 4, 8 s
        bot.say("die", 456 + number)
        if quarantined.is_visible():
            break
        page.wait_for_timeout(250)
    page.get_by_role("heading", name="quarantined").wait_for()
    assert workers.get_by_text("loaded", exact=True).count() == 0
    page = watched.show("plugins")
    page.get_by_role("row", name="crash").get_by_text("quarantined").wait_for()
    assert watched.wrong == []


def _install(page: Page, version: str) -> None:
    """Through the dialog of the list."""
    packed = io.BytesIO()
    about = {"id": "dice", "version": version, "name": "Dice", "permissions": ["get_group_info"]}
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("plugin.json", json.dumps(about))
        archive.writestr("__init__.py", DICE.replace("VERSION", version))
    page.get_by_role("button", name="Install").click()
    file = FilePayload(name=f"dice_{version}.bmpk", mimeType="application/zip", buffer=packed.getvalue())
    page.set_input_files("#package-file", file)
    page.get_by_role("dialog").get_by_role("button", name="Install").click()


def test_a_task_is_said_in_words_and_run(watched: Watched, bot: Talker) -> None:
    page = watched.show("tasks")
    page.get_by_role("button", name="Add a task").click()
    page.get_by_role("button", name="Again and again").click()
    page.fill("dialog [name=name]", "Good night")
    page.fill("dialog [name=cron]", "0 23 * * 1-5")
    page.get_by_text("at 23:00, on Monday – Friday").wait_for()
    page.locator("dialog .fires span").nth(4).wait_for()
    page.fill("dialog [name=bot_id]", "qq:20002")
    page.fill("dialog [name=group_id]", "456")
    page.fill("dialog [name=message]", "Sleep well")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Run Good night").click()
    bot.hears("Sleep well")
    page.get_by_role("link", name="Good night").click()
    page.get_by_role("cell", name="success").first.wait_for(timeout=PATIENCE)
    assert watched.wrong == []


def test_a_task_that_the_form_has_no_fields_for_keeps_what_it_had(watched: Watched) -> None:
    segments = [{"type": "at", "data": {"qq": "all"}}, {"type": "text", "data": {"text": "Good morning"}}]
    sent = {
        **{
            "name": "greeting",
            "type": "condition",
            "action_type": "send_message",
            "action_params": {"message": segments},
        },
        "trigger_config": {"event": "message", "keyword": "morning", "group_id": ["456", "457"]},
    }
    page = watched.show("tasks")
    made = page.evaluate(
        """body => fetch('api/tasks', {method: 'POST', headers: {'Content-Type': 'application/json'},
        body: JSON.stringify(body)}).then(one => one.json())""",
        sent,
    )["task"]
    page.get_by_role("button", name="Edit greeting").click()
    page.fill("dialog [name=name]", "good morning")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    page.get_by_role("link", name="good morning").wait_for()
    kept = page.evaluate(f"fetch('api/tasks/{made['id']}').then(one => one.json())")["task"]
    assert (kept["action_params"]["message"], kept["trigger_config"]["group_id"]) == (segments, ["456", "457"])
    page.get_by_role("button", name="Delete good morning").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.get_by_role("link", name="good morning").wait_for(state="detached")
    assert watched.wrong == []


def test_a_worker_is_drained_and_goes_without_a_loss(watched: Watched, bot: Talker, place: Place) -> None:
    leaving = subprocess.Popen(
        [*COMMAND, "worker", "run", "--id", "leaving"],
        env=environment(place.home),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        page = watched.show("workers")
        row = page.get_by_role("row", name="leaving")
        row.get_by_text("alive").wait_for(timeout=PATIENCE)
        _say_until_it_works(bot, page, "leaving")
        for number in range(20):
            bot.say(f"/echo drained {number}", 10_000 + number)
        page.get_by_role("button", name="Drain: leaving").click()
        for number in range(20, 40):
            bot.say(f"/echo drained {number}", 10_000 + number)
        row.get_by_text("drained: it may be stopped").wait_for(timeout=PATIENCE)
        leaving.terminate()
        assert leaving.wait(60) == 0
        row.wait_for(state="detached", timeout=PATIENCE)
        answered = [bot.hears("drained ") for _ in range(40)]
    finally:
        leaving.kill()
        leaving.wait()
    assert len(set(answered)) == 40, "each once"
    assert watched.wrong == []


def _say_until_it_works(bot: Talker, page: Page, worker: str) -> None:
    """Talk in ever new conversations until this worker has handled some of it."""
    handled = f"""fetch('api/workers').then(one => one.json())
        .then(all => all.workers.find(one => one.id === '{worker}')?.handled || 0)"""
    deadline, group = time.monotonic() + PATIENCE / 1000, 10_000
    while not page.evaluate(handled):
        assert time.monotonic() < deadline
        for _ in range(10):
            bot.say("/echo hello", group := group + 1)
        page.wait_for_timeout(500)


def _bury(place: Place, event: dict[str, object]) -> None:
    """Put an event among the dead letters, as a nexus does."""
    settings = connected(load(place.home, environ={}))
    envelope = {
        **{"id": "buried-1", "bot": "qq:20002", "conv": "group:789", "nexus": "gone.1", "epoch": 1},
        **{"t": int(time.time() * 1000), "event": event, "v": 1},
    }
    with redis.Redis.from_url(str(settings.redis_url)) as engine:
        letter = {"payload": json.dumps(envelope), "reason": "poison", "lane": "default"}
        engine.xadd(Keys().dead, letter)

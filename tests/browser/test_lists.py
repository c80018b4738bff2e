"""Lists and forms while somebody uses them: what is typed stays, what is long fits, what one goes back to is there."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.sync_api import expect
from tests.browser.conftest import BOT, PASSWORD, Visit
from tests.browser.talking import Talker

LONG = "很长的话" * 200


def _gateway(address: str) -> str:
    with httpx.Client(base_url=address) as admin:
        admin.post("/api/login", json={"username": "admin", "password": PASSWORD}).raise_for_status()
        url: str = admin.get("/api/connect-info").json()["url"]
        return url


def test_a_search_that_is_typed_slowly_keeps_every_letter(visit: Visit) -> None:
    page = visit().log_in().show("bots")
    # So slowly that answers come, and the page is drawn, between the letters.
    page.locator("[type=search]").press_sequentially(BOT, delay=290)
    page.wait_for_url(f"**/#/bots?q={BOT.replace(':', '%3A')}")
    assert page.input_value("[type=search]") == BOT


def test_a_word_that_is_still_composed_is_not_searched_for(visit: Visit) -> None:
    watched = visit().log_in()
    page = watched.show("bots")
    page.locator("[type=search]").focus()
    debugger = watched.page.context.new_cdp_session(page)
    debugger.send("Input.imeSetComposition", {"text": "ni", "selectionStart": 2, "selectionEnd": 2})
    page.wait_for_timeout(600)
    assert page.url.endswith("#/bots")
    debugger.send("Input.insertText", {"text": "你"})
    page.wait_for_url("**/#/bots?q=%E4%BD%A0")
    page.get_by_text("Nothing fits").wait_for()


@pytest.mark.parametrize("width", [1440, 390])
def test_long_messages_and_their_buttons_fit_into_the_window(visit: Visit, width: int) -> None:
    watched = visit(width=width).log_in()
    talker = Talker(_gateway(watched.address), "the-bot-token")
    try:
        talker.say(LONG, 4242)
        for place in ("messages?group=4242", "messages/events?group=4242"):
            page = watched.show(place)
            page.get_by_role("link", name="Trace").first.wait_for()
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), place
            table = page.locator(".rows")
            assert table.evaluate("one => one.offsetWidth <= one.parentElement.clientWidth"), place
    finally:
        talker.close()


def test_numbers_are_sorted_down_then_up_then_as_they_were(visit: Visit) -> None:
    page = visit().log_in().show("workers")
    for wanted in ("#/workers?sort=-handled", "#/workers?sort=handled", "#/workers"):
        page.get_by_role("button", name="Handled").click()
        page.wait_for_url(f"**/{wanted}")


def test_a_page_behind_the_last_one_of_a_list_is_the_last_one(visit: Visit) -> None:
    page = visit().log_in().show("audit?page=99")
    page.locator(".rows tbody tr").first.wait_for()
    assert page.locator(".rows tbody tr").count() > 0
    assert "page=99" not in page.url


def test_saving_one_card_keeps_what_was_typed_into_another(visit: Visit) -> None:
    watched = visit().log_in()
    page = watched.show("config/judge")
    page.locator("[name=plain]").first.fill("a word of mine")
    page.locator("[name=record_blocked]").click()
    page.get_by_role("button", name="Save").first.click()
    page.get_by_text("Saved; it acts within a second.").wait_for()
    page.wait_for_timeout(500)
    assert page.input_value("[name=plain] >> nth=0") == "a word of mine"


def test_a_page_that_could_not_be_had_comes_when_the_server_is_back(visit: Visit) -> None:
    watched = visit().log_in()
    page = watched.show("dashboard")
    page.route("**/api/admin/core", lambda route: route.abort())
    page.goto(f"{watched.address}/#/config/judge")
    page.get_by_role("alert").filter(has_text="can't be reached").first.wait_for()
    page.unroute("**/api/admin/core")
    page.locator("[name=maintenance_mode]").wait_for()


def test_a_window_is_called_after_its_page(visit: Visit) -> None:
    page = visit().log_in().show("routing")
    assert page.title() == "Routing · BotMatrix"
    page.goto(f"{page.url.split('#')[0]}#/bots/{BOT}")
    expect(page).to_have_title(f"{BOT} · Bots · BotMatrix")


def test_a_message_that_was_heard_is_picked_and_tried_again(visit: Visit) -> None:
    page = visit().log_in().show("routing/try")
    chosen = page.get_by_label("One that was heard lately").locator("option").nth(1)
    chosen.wait_for(state="attached")
    page.get_by_label("One that was heard lately").select_option(index=1)
    expect(page.locator("[name=bot]")).to_have_value(re.compile(r"qq:\d+"))
    page.get_by_role("button", name="Try it").click()
    page.locator(".stack").get_by_text("Judge", exact=True).wait_for()


def test_a_dialog_is_as_high_as_what_is_in_it(visit: Visit) -> None:
    page = visit().log_in().show(f"bots/{BOT}")
    page.get_by_role("button", name="Kick").click()
    height = page.get_by_role("dialog").evaluate("one => one.getBoundingClientRect().height")
    assert height < 400


def test_several_sentences_of_the_server_are_each_said_in_chinese(visit: Visit) -> None:
    page = visit("zh-CN").log_in().page
    said = page.evaluate(
        """text => import(new URL(`${document.documentElement.dataset.assets}/app/lib/i18n.js`, document.baseURI))
        .then(module => module.translated(text))""",
        "redis: no answer within 1 s; gateway: no answer within 2 s",
    )
    assert said == "redis：1 秒内没有响应；gateway：2 秒内没有响应"


def test_a_form_in_a_dialog_is_filled_and_sent_by_keyboard(visit: Visit) -> None:
    page = visit().log_in().show("routing")
    page.get_by_role("button", name="Add a rule").press("Enter")
    expect(page.locator("dialog [name=key]")).to_be_focused()
    page.keyboard.type("group_31337")
    page.keyboard.press("Tab")
    page.keyboard.type("block")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Delete group_31337").press("Enter")
    expect(page.get_by_role("dialog").get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("cell", name="group_31337", exact=True).wait_for(state="detached")
    page.get_by_role("button", name="Add a rule").press("Enter")
    expect(page.locator("dialog [name=key]")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Add a rule")).to_be_focused()

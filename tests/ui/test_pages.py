"""The frame, every component and the pages before sign-in, in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

pytestmark = pytest.mark.browser

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PATHS = ["/gallery", "/", "/login", "/register", "/400", "/403", "/404", "/429", "/500", "/csrf"]


def violations(page: Page) -> list[str]:
    page.evaluate(AXE)
    wanted = {"runOnly": RULES, "resultTypes": ["violations"]}
    found: list[dict[str, Any]] = page.evaluate("async (rules) => (await axe.run(document, rules)).violations", wanted)
    return [f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_axe_finds_nothing_and_no_page_is_wider_than_the_screen(browser: Browser, address: str, theme: Any, width: int) -> None:
    context = browser.new_context(base_url=address, viewport={"width": width, "height": 844}, color_scheme=theme)
    page = context.new_page()
    for path in PATHS:
        page.goto(path)
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"{path} is {overflow} px too wide at {width}"
        found = violations(page)
        assert not found, "\n".join([path, *found])
    context.close()


@pytest.mark.parametrize("width", [360, 768, 1024, 1280])
def test_no_page_is_wider_than_an_uncommon_screen(browser: Browser, address: str, width: int) -> None:
    context = browser.new_context(base_url=address, viewport={"width": width, "height": 800})
    page = context.new_page()
    for path in PATHS:
        page.goto(path)
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"{path} is {overflow} px too wide at {width}"
    page.goto("/gallery")
    kill = page.get_by_role("link", name="Kill").bounding_box()
    assert kill is not None
    assert kill["x"] + kill["width"] <= width
    feed = page.locator("a.readout[href='/settings/feeds']").bounding_box()
    assert feed is not None
    assert feed["x"] + feed["width"] <= width
    context.close()


def test_nothing_on_the_page_breaks_the_content_policy(page: Page) -> None:
    said: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            said.append(message.text)

    page.on("console", listen)
    for path in PATHS:
        page.goto(path)
    page.goto("/gallery")
    page.get_by_role("link", name="Kill switch").click()
    page.wait_for_selector(".chart canvas")
    assert said == []


def test_the_kill_switch_needs_two_steps_and_names_what_it_will_do(page: Page) -> None:
    page.goto("/gallery")
    page.get_by_role("link", name="Kill switch").click()
    dialog = page.get_by_role("dialog", name="Kill switch")
    expect(dialog.locator("[data-kill-final]")).to_be_hidden()
    dialog.get_by_label("Scope").select_option("account:1")
    dialog.get_by_role("button", name="Flatten").click()
    final = dialog.get_by_role("button", name="Flatten: Zerodha Anil")
    expect(final).to_be_visible()
    expect(final).to_be_enabled()
    with page.expect_request("**/risk/kill") as sent:
        final.click()
    body = sent.value.post_data or ""
    assert "scope=account%3A1" in body
    assert "level=FLATTEN" in body
    assert "idempotency_key=" in body
    assert sent.value.headers["x-csrftoken"] == "token"
    expect(dialog.get_by_text("Done.")).to_be_visible()


def test_the_kill_switch_is_a_plain_link_without_scripts(browser: Browser, address: str) -> None:
    context = browser.new_context(base_url=address, java_script_enabled=False)
    page = context.new_page()
    page.goto("/gallery")
    assert page.get_by_role("link", name="Kill switch").get_attribute("href") == "/risk/kill"
    context.close()


def test_a_double_click_cannot_do_both_steps_of_a_live_exit(page: Page) -> None:
    page.goto("/gallery")
    page.locator("[data-dialog='exit-live']").first.click()
    dialog = page.locator("#exit-live")
    page.evaluate(
        """() => { window.armed = [];
          const last = document.querySelector('#exit-live [data-armed]');
          document.addEventListener('pointerup', () => window.armed.push(!last.disabled)); }"""
    )
    dialog.get_by_role("button", name="Continue").dblclick()
    assert page.evaluate("window.armed.at(-1)") is False, "not yet armed when the second click fell"
    expect(dialog.locator("[data-armed]")).to_be_enabled()


def test_the_theme_is_remembered_and_set_before_the_first_paint(page: Page) -> None:
    page.goto("/gallery")
    page.get_by_role("button", name="Theme").first.click()
    page.get_by_role("button", name="Dark").click()
    page.goto("/404")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_an_unsent_money_form_keeps_its_key_until_the_intention_changes(page: Page) -> None:
    page.goto("/gallery")
    page.get_by_role("link", name="Kill switch").click()
    dialog = page.get_by_role("dialog", name="Kill switch")
    key = dialog.locator("input[name=idempotency_key]")
    first = key.input_value()
    dialog.locator("[data-level=FLATTEN]").click()
    with page.expect_response("**/risk/kill"):
        dialog.locator("[data-kill-final]").click()
    expect(dialog.locator("form")).not_to_have_attribute("aria-busy", "true")
    assert key.input_value() == first
    dialog.get_by_role("button", name="Back").click()
    dialog.locator("[data-level=CANCEL]").click()
    assert key.input_value() != first


def test_clicks_in_the_chain_fill_the_basket_with_what_was_chosen_not_with_prices(page: Page) -> None:
    page.goto("/gallery")
    page.get_by_role("button", name="Sell 26000 CE at").click()
    page.get_by_role("button", name="Buy 26200 CE at").click()
    page.get_by_role("button", name="Buy 26200 CE at").click()
    expect(page.locator("[data-basket-count]")).to_have_text("2 legs")
    assert page.locator("input[name=legs]").first.input_value() == (
        '[{"exchange":"NFO","symbol":"NIFTY01DEC2626000CE","side":"SELL","lots":1},'
        '{"exchange":"NFO","symbol":"NIFTY01DEC2626200CE","side":"BUY","lots":2}]'
    )


def test_question_mark_lists_the_keys_and_slash_searches(page: Page) -> None:
    page.goto("/gallery")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.dataset.search !== undefined")


def test_the_kill_switch_offers_nothing_it_does_not_do(page: Page) -> None:
    """Positions that AlgoMirror did not open are never touched, so no box may say so."""
    page.goto("/gallery")
    assert page.locator("#kill-dialog [name]").evaluate_all("all => all.map(e => e.name).sort()") == [
        "csrfmiddlewaretoken",
        "idempotency_key",
        "level",
        "scope",
    ]


def test_a_kill_pressed_again_later_is_another_intention(page: Page) -> None:
    page.goto("/gallery")
    dialog = page.get_by_role("dialog", name="Kill switch")
    keys = []
    for _ in range(2):
        page.get_by_role("link", name="Kill switch").click()
        dialog.locator("[data-level=FLATTEN]").click()
        with page.expect_request("**/risk/kill") as sent:
            dialog.locator("[data-kill-final]").click()
        keys.append((sent.value.post_data or "").partition("idempotency_key=")[2].partition("&")[0])
        expect(dialog.get_by_text("Done.")).to_be_visible()
        page.keyboard.press("Escape")
    assert keys[0]
    assert keys[0] != keys[1]


def test_an_order_without_an_answer_is_repeated_under_the_same_key(page: Page) -> None:
    page.goto("/gallery")
    page.route("**/risk/kill", lambda route: route.abort())
    dialog = page.get_by_role("dialog", name="Kill switch")
    key = dialog.locator("input[name=idempotency_key]")
    page.get_by_role("link", name="Kill switch").click()
    dialog.locator("[data-level=FLATTEN]").click()
    first = key.input_value()
    dialog.locator("[data-kill-final]").click()
    expect(page.get_by_text("No answer from the server")).to_be_attached()
    assert key.input_value() == first

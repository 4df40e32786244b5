"""What a person presses on the trading pages does what it says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests import cast
from tests.ui.stage import launched, patient
from trading.models import ExitGoal, Order

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(live_server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    # The browser's own event loop runs in this thread; the database is used by nobody else in it.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    cookie = cast.signed_in(cast.alice()).cookies["sessionid"].value
    with sync_playwright() as playwright:
        browser = launched(playwright)
        context = patient(browser, base_url=live_server.url, viewport={"width": 1440, "height": 900})
        context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
        yield context.new_page()
        context.close()
        browser.close()


def test_a_live_position_is_closed_in_two_steps_and_the_dialog_shows_the_outcome(page: Page) -> None:
    held = cast.position(cast.book(cast.account(mode="LIVE"), cast.run(mode="LIVE")))
    page.goto("/positions")
    page.get_by_role("link", name=f"Close {held.symbol}").click()
    dialog = page.locator("#close-ONE-LIVE")
    expect(dialog).to_contain_text(f"Buys back 65 {held.symbol} NRML of Iron condor in Zerodha Anil (LIVE).")
    dialog.get_by_role("button", name="Continue").click()
    dialog.get_by_role("button", name="Close it in 1 live account").click()
    expect(dialog.locator("[data-outcome]")).to_contain_text("exit asked")
    goal = ExitGoal.objects.get()
    assert (goal.book_id, goal.targets) == (held.book_id, {f"NFO:{held.symbol}:NRML": 0})


def test_what_was_typed_for_one_position_does_not_count_for_the_next(page: Page) -> None:
    book = cast.book(cast.account(), cast.run())
    first, second = cast.position(book, units=2 * cast.LOT), cast.position(book, units=2 * cast.LOT, symbol=cast.PUT)
    page.goto("/positions")
    dialog = page.locator("#close-ONE-PAPER")
    page.get_by_role("link", name=f"Close {first.symbol}").click()
    dialog.locator("[name=units]").fill("65")
    page.keyboard.press("Escape")
    page.get_by_role("link", name=f"Close {second.symbol}").click()
    dialog.get_by_role("button", name="Close it in 1 paper account").click()
    expect(dialog.locator("[data-outcome]")).to_contain_text("exit asked")
    assert ExitGoal.objects.get().targets == {f"NFO:{cast.PUT}:NRML": 0}


def test_an_order_is_cancelled_from_its_row(page: Page) -> None:
    row = cast.order(cast.book(cast.account()), state="INITIALIZED")
    page.goto("/orders")
    page.locator(f"#cancel-{row.pk}").click()
    dialog = page.locator("#cancel-PAPER")
    expect(dialog).to_contain_text("Cancels SELL 65 of 65")
    dialog.get_by_role("button", name="Cancel this order").click()
    expect(dialog.locator("[data-outcome]")).to_contain_text("will not be")
    assert Order.objects.get().state == "DENIED"


def test_a_resting_order_is_modified_in_its_dialog_with_its_terms_filled_in(page: Page) -> None:
    row = cast.order(cast.book(cast.account()), units=2 * cast.LOT)
    page.goto("/orders")
    page.locator(f"#modify-{row.pk}").click()
    dialog = page.locator("dialog#modify")
    expect(dialog.get_by_label("Limit price")).to_have_value("104.25")
    dialog.get_by_label("Quantity in units").fill("65")
    dialog.get_by_role("button", name="Change it in 1 paper account").click()
    expect(dialog.locator("#modify-outcome")).to_contain_text("asked")
    row.refresh_from_db()
    assert (row.asked_units, row.asked_price) == (65, row.price)


def test_the_ticket_shows_the_prices_that_its_type_needs(page: Page) -> None:
    cast.account()
    page.goto("/ticket")
    price, trigger = page.locator("[name=price]"), page.locator("[name=trigger_price]")
    for kind, needs in {"SMART": (False, False), "LIMIT": (True, False), "SL": (True, True), "SL-M": (False, True)}.items():
        page.locator("[name=price_type]").select_option(kind)
        for field, is_needed in zip((price, trigger), needs, strict=True):
            expect(field).to_be_visible(visible=is_needed)
            expect(field).to_be_enabled(enabled=is_needed)


def test_a_new_alert_channel_shows_what_its_kind_needs(page: Page) -> None:
    page.goto("/alerts/settings")
    kind = page.locator("form select[name=kind]")
    for chosen, needs in {"EMAIL": "host", "WEBHOOK": "url", "BROWSER": "", "TELEGRAM": "token"}.items():
        kind.select_option(chosen)
        shown = [name for name in ("token", "host", "url") if page.locator(f"[name={name}]").is_visible()]
        assert shown == [needs] * bool(needs)
        assert [page.locator(f"[name={name}]").is_enabled() for name in ("token", "host", "url")].count(True) == len(shown)


def test_choosing_a_filter_narrows_the_table_without_a_new_page(page: Page) -> None:
    held = cast.book(cast.account(), cast.run())
    cast.order(held, symbol="KEPT", state="REJECTED")
    cast.order(held, symbol="GONE")
    page.goto("/orders")
    expect(page.locator("#orders")).to_contain_text("GONE")
    page.locator("select[name=state]").select_option("refused")
    expect(page.locator("#orders")).not_to_contain_text("GONE")
    expect(page.locator("#orders")).to_contain_text("KEPT")


def test_an_alarm_leaves_the_dashboard_when_it_is_acknowledged(page: Page) -> None:
    from algomirror.ops import alarms

    cast.account()
    alarms.ring("TEST", "something to see")
    page.goto("/dashboard")
    panel = page.get_by_role("region", name="Alarms", exact=True)
    panel.get_by_role("button", name="Acknowledge").click()
    expect(page.locator("#dashboard")).not_to_contain_text("something to see")


def test_without_scripts_a_position_is_closed_by_plain_pages(page: Page, live_server: Any) -> None:
    held = cast.position(cast.book(cast.account(), cast.run()))
    browser = page.context.browser
    assert browser is not None
    plain = patient(browser, base_url=live_server.url, java_script_enabled=False)
    plain.add_cookies(page.context.cookies())  # type: ignore[arg-type]
    tab = plain.new_page()
    tab.goto("/positions")
    tab.get_by_role("link", name=f"Close {held.symbol}").click()
    tab.get_by_role("button", name="Close it in 1 paper account").click()
    expect(tab.get_by_role("heading", name="Positions")).to_be_visible()
    assert ExitGoal.objects.get().book_id == held.book_id
    plain.close()

"""The chain in a real browser on a real feed: prices move, scroll and focus stay, and the source changes under it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection  # noqa: F401 - named by the mark
from django.test import Client
from playwright.sync_api import Page, expect, sync_playwright

from accounts.models import User
from algomirror.kernel import clock
from algomirror.ops import push
from marketdata import selectors
from marketdata.instruments import import_instruments
from tests.marketdata.feed_stand import NIFTY, Servers, Stand, at_work, freeze, kill, shorten, thaw
from tests.marketdata.web_stand import pages
from tests.ui.stage import launched, patient, until

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.processes,
    pytest.mark.browser,
    pytest.mark.skipif("connection.vendor != 'sqlite'", reason="the pages are another process on this very file"),
]
MEASURE = """() => {
  const bodies = new Set();
  window.painted = 0;
  new MutationObserver(() => {
    bodies.add(Math.round(performance.now() / 50));
    window.painted = bodies.size;
  }).observe(document.querySelector("#chain-rows"), { subtree: true, childList: true, characterData: true });
}"""
BOX = "document.querySelector('.table-box:has(.chain)')"
OLD = "document.querySelectorAll('#chain-facts [data-age-text], .chain [data-age-text]').length"


@pytest.fixture
def stand(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # the browser's driver has a loop of its own in this thread
    shorten(monkeypatch)
    with at_work(servers, NIFTY) as standing:
        import_instruments(standing.accounts[0].pk, actor="test")
        yield standing


@pytest.fixture
def web() -> Iterator[str]:
    with pages() as found:
        yield found.url


@pytest.fixture
def page(stand: Stand, web: str) -> Iterator[Page]:
    signed_in = Client()
    signed_in.force_login(User.objects.get())
    with sync_playwright() as playwright:
        browser = launched(playwright)
        context = patient(browser, base_url=web, viewport={"width": 1440, "height": 900})
        context.add_cookies([{"name": "sessionid", "value": signed_in.cookies["sessionid"].value, "url": web}])
        yield context.new_page()
        browser.close()


def shows(page: Page, what: str) -> None:
    """Asked from outside: the pages' policy lets nothing evaluate text inside."""
    until(page, lambda: page.evaluate(what), what)


def stays(page: Page, strike: str) -> list[Any]:
    """What has the focus, and where on the screen the strike's row is; between two readings of the rows there may be none."""
    row = f"[...document.querySelectorAll('#chain-rows tr')].find(r => r.querySelector('.strike a')?.textContent === '{strike}')"
    at = f"{row}?.getBoundingClientRect().top - {BOX}.getBoundingClientRect().top"
    found: list[Any] = page.evaluate(f"[document.activeElement.id, {at}]")
    return found


def test_scroll_focus_and_prices_survive_the_loss_of_the_source_and_a_new_centre(page: Page, stand: Stand) -> None:
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    expiry = selectors.expiries("NIFTY", "OPT", clock.now())[2]
    page.goto(f"/chain?width=20&expiry={expiry:%Y-%m-%d}")
    expect(page.locator("#chain-rows tr.atm")).to_be_visible()
    expect(page.locator("#chain-rows tr")).to_have_count(41)
    page.evaluate(f"{BOX}.scrollTop = 120")
    page.focus("#chain-rows tr:nth-child(12) .take-buy")
    strike = page.locator("#chain-rows tr:nth-child(12) .strike a").inner_text()
    before = stays(page, strike)
    page.evaluate("window.sameDocument = true")
    shows(page, f"{OLD} === 0")
    page.evaluate(MEASURE)
    shows(page, "window.painted >= 8")
    source = page.locator("#chain-facts [data-value='feed:source']")
    expect(source).to_have_text("Paper 1")

    kill(stand.first)
    freeze(stand.second)
    try:
        shows(page, "document.querySelector('#chain-facts [data-quote]').dataset.ageText !== undefined")
    finally:
        thaw(stand.second)
    expect(source).to_have_text("Paper 2")
    shows(page, f"{OLD} === 0")
    until(page, lambda: stays(page, strike) == before, "focus and scroll to stay through the failover")
    assert page.evaluate("window.sameDocument") is True

    atm = page.locator("#chain-rows tr.atm .strike a").inner_text()
    stand.control("/shock", of=stand.second, underlying="NIFTY", percent=0.5)

    def has_moved() -> bool:
        push.push(f"chain:NIFTY:{expiry:%Y-%m-%d}:20", "changed")
        moved: bool = page.evaluate(f"document.querySelector('#chain-rows tr.atm .strike a')?.innerText !== '{atm}'")
        page.wait_for_timeout(300)
        return moved

    until(page, has_moved, "another strike to be in the middle")
    until(page, lambda: stays(page, strike) == before, "focus and scroll to stay with a new middle")
    assert page.evaluate("window.sameDocument") is True and complaints == []

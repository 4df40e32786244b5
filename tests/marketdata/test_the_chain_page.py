from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from algomirror.kernel import clock
from algomirror.ops.heartbeat import beat
from marketdata import calendar, quotes
from marketdata.models import Holiday, ViewingSession
from marketdata.reference.load import load
from tests.marketdata.cast import FRIDAY, Guards, account, list_options, owner, quote

CALL, PUT = "NFO:NIFTY01DEC2626000CE", "NFO:NIFTY01DEC2626000PE"


@pytest.fixture(autouse=True)
def _friday(db: None, guards: Guards) -> Iterator[None]:
    load(actor="test")
    with clock.use(clock.FrozenClock(FRIDAY)):
        yield


@pytest.fixture
def alice() -> User:
    return owner()


@pytest.fixture
def browser(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


@pytest.fixture
def listed(alice: User) -> None:
    account(alice)
    for day in (date(2026, 12, 1), date(2026, 12, 8)):
        list_options("NIFTY", day, range(25500, 26550, 50))
    quotes.put(
        [
            quote("NSE_INDEX:NIFTY", "26010.40"),
            quote(CALL, "104.25", bid=Decimal("104.20"), ask=Decimal("104.30"), open_interest=200, volume=65),
            quote(PUT, "96", bid=Decimal("95.95"), ask=Decimal("96.05"), open_interest=300),
        ]
    )
    beat("feed", state="LIVE", source="Paper 1", index_age_s=0.4, ticks_per_s=12.0)


def page(browser: Client, **query: Any) -> str:
    answer = browser.get("/chain", query)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.usefixtures("listed")
def test_it_shows_the_nearest_expiry_around_the_money_with_what_is_known(browser: Client) -> None:
    html = page(browser)
    assert 'data-topics="market frame alarms chain:NIFTY:2026-12-01:20"' in html
    for text in ("26,010.40", "26,000.00", "104.25", "1.50", "Paper 1", "11 days", 'class="atm"', "ITM1", "OTM1"):
        assert text in html, text
    assert f'data-quote="{CALL}" data-field="b"' in html
    assert 'data-symbol="NIFTY01DEC2626000CE"' in html
    assert "/ticket?exchange=NFO&amp;symbol=NIFTY01DEC2626000CE&amp;action=BUY" in html
    assert "style=" not in html.split("<body")[1]


@pytest.mark.usefixtures("listed")
def test_a_strike_without_a_price_is_a_dash_and_never_zero(browser: Client) -> None:
    row = page(browser, width=5).split('data-quote="NFO:NIFTY01DEC2625950CE" data-field="l"')[1]
    assert row.split("</span>")[0].endswith("–")
    table = page(browser).split("<table")[1].split("</table>")[0]
    assert ">0.00<" not in table and ">0<" not in table


@pytest.mark.usefixtures("listed")
def test_the_fragment_is_the_same_rows_and_reading_changes_nothing(browser: Client) -> None:
    fragment = browser.get("/chain/table", {"underlying": "NIFTY", "expiry": "2026-12-08", "width": 5})
    assert fragment.status_code == 200 and b"<html" not in fragment.content
    assert fragment.content.decode().count('scope="row"') == 11
    assert "NIFTY08DEC26" in fragment.content.decode() and "NIFTY01DEC26" not in fragment.content.decode()
    assert "NIFTY01DEC26" in page(browser, underlying="NIFTY", expiry="2026-12-01")
    assert "NIFTY01DEC26" not in page(browser, underlying="SENSEX")
    assert not ViewingSession.objects.exists()


@pytest.mark.usefixtures("listed")
def test_held_strikes_are_marked(browser: Client, guards: Guards) -> None:
    assert "held by an account" not in page(browser)
    guards.open = {CALL}
    assert page(browser).count("held by an account") == 1


@pytest.mark.usefixtures("listed")
def test_the_number_of_queries_does_not_grow_with_the_width(browser: Client, django_assert_max_num_queries: Any) -> None:
    page(browser)
    for width in (5, 50):
        with django_assert_max_num_queries(24):
            page(browser, width=width)


@pytest.mark.usefixtures("listed")
def test_a_closed_market_says_when_it_opens(browser: Client) -> None:
    Holiday.objects.create(exchange="NFO", date=FRIDAY.date(), name="Sudden rest")
    calendar.forget()
    html = page(browser)
    assert "The market is closed (Sudden rest)" in html and "Mon 23 Nov 2026 at 09:15:00" in html


@pytest.mark.usefixtures("listed")
def test_a_dead_feed_is_said(browser: Client) -> None:
    assert "The price feed is down" not in page(browser)
    clock._clock.advance(6)  # type: ignore[attr-defined]
    assert "The price feed is down" in page(browser)


def test_without_an_account_it_offers_to_connect_one(browser: Client) -> None:
    html = page(browser)
    assert "No account connected yet" in html and "/accounts/new" in html


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        ({}, "No instruments yet"),
        ({"state": "reading", "exchange": "NFO"}, "Reading the list of NFO"),
        ({"state": "storing", "exchange": "NFO", "done": 500, "total": 2763}, "500 of 2,763 contracts"),
        ({"state": "failed", "failed": {"NFO": "TIMEOUT: slow"}}, "NFO: TIMEOUT: slow"),
    ],
)
def test_before_the_first_import_it_shows_how_it_goes(browser: Client, alice: User, progress: dict[str, Any], text: str) -> None:
    account(alice)
    if progress:
        beat("instruments", **progress)
    assert text in page(browser)


@pytest.mark.usefixtures("listed")
@pytest.mark.parametrize(
    "query",
    [
        {"underlying": "NOBODY"},
        {"underlying": "FINNIFTY"},
        {"expiry": "2026-12-02"},
        {"expiry": "soon"},
        {"width": "7"},
        {"width": "-1"},
        {"width": "x"},
    ],
)
def test_a_bad_query_is_refused_by_name(browser: Client, query: dict[str, str]) -> None:
    answer = browser.get("/chain", query)
    assert answer.status_code == 422
    assert next(iter(query)) in answer.content.decode()


def test_strangers_are_sent_to_sign_in_and_viewers_may_look_but_not_import(alice: User) -> None:
    account(alice)
    stranger = Client()
    assert stranger.get("/chain").status_code == 302
    bob = Client()
    bob.force_login(owner("bob", "VIEWER"))
    assert bob.get("/chain").status_code == 200
    assert "Import now" not in bob.get("/chain").content.decode()
    assert bob.post("/chain/import").status_code == 403
    assert bob.get("/chain/import").status_code == 405


def test_the_owner_may_import_now(browser: Client, alice: User) -> None:
    assert browser.post("/chain/import").status_code == 422
    account(alice)
    assert browser.post("/chain/import").status_code == 302


@pytest.mark.usefixtures("listed")
def test_the_columns_a_person_chose_are_shown_and_the_page_they_came_from(browser: Client) -> None:
    back = browser.post("/chain/columns", {"columns": ["volume"], "query": "underlying=NIFTY&width=5&evil=1"})
    assert back["Location"] == "/chain?underlying=NIFTY&width=5"
    head = browser.get("/chain").content.decode().partition("<thead>")[2].partition("</thead>")[0]
    assert "Volume" in head
    assert "Delta" not in head


def test_who_watches_the_import_gets_the_chain_as_soon_as_it_is_there(browser: Client, alice: User) -> None:
    account(alice)
    watching = {"HX-Request": "true", "HX-Target": "chain-import"}
    assert "HX-Refresh" not in browser.get("/chain", headers=watching)
    list_options("NIFTY", date(2026, 12, 1), range(25500, 26550, 50))
    quotes.put([quote("NSE_INDEX:NIFTY", "26010.40")])
    assert browser.get("/chain", headers=watching)["HX-Refresh"] == "true"
    assert "HX-Refresh" not in browser.get("/chain")

"""What every page says on top, from the stores alone and in a bounded number of queries."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
import redis
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from algomirror.frame import market, selectors
from algomirror.kernel import clock
from algomirror.ops import alarms, canary, queue
from algomirror.ops.models import Heartbeat
from marketdata.domain.sessions import MarketState
from marketdata.models import Underlying
from tests import cast, page_rules


def header(path: str = "/dashboard") -> dict[str, object]:
    request = RequestFactory().get(path)
    request.user = cast.alice()
    return selectors.header(request)


def beat(name: str, ago_s: float = 0.0, **detail: object) -> None:
    Heartbeat.objects.update_or_create(
        name=name, defaults={"holder": "test", "at": clock.now() - timedelta(seconds=ago_s), "detail": detail}
    )


def test_links_count_what_is_up_of_what_is_in_use() -> None:
    cast.account("One up")
    cast.account("Two down", link="DOWN")
    cast.account("Gone", archived_at=clock.now())
    assert header()["links"] == {"up": 1, "total": 2}


@pytest.mark.parametrize(
    ("modes", "world"), [((), ""), (("PAPER",), "PAPER"), (("LIVE", "LIVE"), "LIVE"), (("LIVE", "PAPER"), "MIXED")]
)
def test_the_world_is_that_of_the_accounts_in_use(modes: tuple[str, ...], world: str) -> None:
    for place, mode in enumerate(modes):
        cast.account(f"Account {place}", mode=mode)
    assert header()["world"] == world


def test_pnl_of_today_is_cash_of_today_and_what_is_open() -> None:
    anil = cast.account()
    cast.position(cast.book(anil, cast.run()), price="104.00")
    cast.quote(f"NFO:{cast.CALL}", "100.00")
    assert header()["pnl_today"] == Decimal("260")


def test_pnl_of_today_counts_what_was_carried_from_its_last_close() -> None:
    anil = cast.account()
    yesterday = clock.trading_day() - timedelta(days=1)
    cast.position(cast.book(anil, cast.run()), price="200.00", trading_day=yesterday)
    cast.quote(f"NFO:{cast.CALL}", "100.00", prev_close="110.00")
    assert header()["pnl_today"] == Decimal("650")


@pytest.mark.parametrize("age_s", [6.0, 3600.0])
def test_pnl_of_today_is_unknown_without_a_usable_price(age_s: float) -> None:
    cast.position(cast.book(cast.account(), cast.run()))
    cast.quote(f"NFO:{cast.CALL}", "100.00", age_s=age_s)
    assert header()["pnl_today"] is None


def test_indices_carry_price_change_and_the_time_they_were_received() -> None:
    Underlying.objects.create(
        symbol="NIFTY", index_exchange="NSE_INDEX", derivative_exchange="NFO", strike_step=50, display_order=0
    )
    quote = cast.quote("NSE_INDEX:NIFTY", "26100.00", prev_close="26000.00")
    (index,) = header()["indices"]  # type: ignore[misc]
    assert index["change"] == Decimal("100.00")
    assert index["change_percent"].quantize(Decimal("0.01")) == Decimal("0.38")
    assert index["received_ms"] == market.epoch_ms(quote.received_at)


def test_an_index_without_a_price_is_unknown() -> None:
    assert market.indices({"NIFTY": "NSE_INDEX:NIFTY"}, {})[0]["ltp"] is None


@pytest.mark.parametrize(("ago_s", "state"), [(1, "live"), (5, "live"), (6, "slow"), (15, "slow"), (16, "down")])
def test_the_engine_is_as_alive_as_its_oldest_heartbeat(ago_s: float, state: str) -> None:
    cast.run()
    beat("metronome")
    beat("risk-sweep", ago_s)
    assert selectors.engine(clock.now(), is_sweeping=True)["state"] == state
    assert selectors.engine(clock.now(), is_sweeping=False)["state"] == "live"


def test_an_engine_whose_orders_stand_still_is_down_whatever_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    queue.client().delete("am:canary:orders", "am:canary:orders:asked")
    beat("metronome")
    now = clock.now()
    with clock.use(clock.FrozenClock(now - timedelta(seconds=31))):
        canary.ask("orders")
    assert selectors.engine(now, is_sweeping=False)["state"] == "live"
    with clock.use(clock.FrozenClock(now)):
        canary.ask("orders")
    assert selectors.engine(now, is_sweeping=False)["state"] == "down"
    canary.answer("orders")
    assert selectors.engine(now, is_sweeping=False)["state"] == "live"

    def away(*_: object, **__: object) -> None:
        raise redis.ConnectionError

    monkeypatch.setattr(canary, "silent_s", away)
    assert selectors.engine(now, is_sweeping=False)["state"] == "down"


def test_an_engine_that_never_beat_is_down() -> None:
    assert selectors.engine(clock.now(), is_sweeping=False) == {"state": "down", "age_s": None}


def test_with_the_market_closed_the_feed_is_as_alive_as_its_connection() -> None:
    beat("feed", state="LIVE", index_age_s=3600, source="Zerodha Anil")
    from marketdata.status import feed_status

    status = feed_status(clock.now())
    assert selectors.feed(status, is_open=True)["state"] == "stale"
    assert selectors.feed(status, is_open=False)["state"] == "live"


def state(**fields: object) -> MarketState:
    given = {
        "exchange": "NFO",
        "is_open": False,
        "opens_at": cast.FRIDAY,
        "closes_at": cast.FRIDAY + timedelta(hours=5),
        "reason": "AFTER_CLOSE",
        "name": "",
        "next_opens_at": cast.FRIDAY + timedelta(days=3),
        "covered": True,
        **fields,
    }
    return MarketState(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("shown", "label"),
    [
        (state(is_open=True, reason="OPEN"), "Open until 15:41"),
        (state(is_open=True, reason="OPEN", name="Muhurat"), "Muhurat until 15:41"),
        (state(), "Closed, next Mon 10:41"),
        (state(reason="HOLIDAY", name="Diwali"), "Holiday: Diwali, next Mon 10:41"),
        (state(reason="BEFORE_OPEN"), "Opens at 10:41"),
        (state(reason="NO_SESSION", next_opens_at=None), "Closed, next opening unknown"),
    ],
)
def test_the_market_is_told_in_words(shown: MarketState, label: str) -> None:
    assert market.label(shown) == label


def test_the_kill_switch_offers_everything_each_account_and_each_open_run_first_the_one_looked_at() -> None:
    anil, condor = cast.account(), cast.run()
    cast.run("over", state="CLOSED")
    scopes = header(f"/runs/{condor.pk}")["kill_scopes"]
    assert [(s["value"], s.get("selected", False)) for s in scopes] == [  # type: ignore[attr-defined]
        ("platform", False),
        (f"account:{anil.pk}", False),
        (f"run:{condor.pk}", True),
    ]


def test_no_entry_of_the_menu_leads_nowhere() -> None:
    alice = cast.signed_in(cast.alice())
    cast.account()
    entries = header()["nav"]
    assert {e["url"] for e in entries} >= {"/dashboard", "/orders", "/positions", "/trades", "/alerts", "/accounts"}  # type: ignore[attr-defined]
    assert [e["url"] for e in entries if alice.get(e["url"]).status_code != 200] == []  # type: ignore[attr-defined]


def test_the_menu_marks_the_page_and_its_parts_only() -> None:
    assert [e["url"] for e in selectors.nav("/orders/cancel") if e["active"]] == ["/orders"]
    assert [e["url"] for e in selectors.nav("/ordersheet") if e["active"]] == []


def test_the_header_needs_a_bounded_number_of_queries_whatever_is_open() -> None:
    Underlying.objects.create(symbol="NIFTY", index_exchange="NSE_INDEX", derivative_exchange="NFO", strike_step=50)
    cast.account()

    def queries() -> int:
        from marketdata import calendar

        calendar.forget()
        request = RequestFactory().get("/orders")
        with CaptureQueriesContext(connection) as seen:
            selectors.header(request)
        return len(seen)

    few = queries()
    for place in range(3):
        anil = cast.account(f"Account {place}")
        cast.position(cast.book(anil, cast.run(f"run {place}")))
        alarms.ring("TEST", "text", key=str(place))
    assert queries() == few <= 12


def test_fragments_do_not_pay_for_the_header() -> None:
    alice = cast.signed_in(cast.alice())
    alice.get("/orders/rows")
    with CaptureQueriesContext(connection) as seen:
        alice.get("/orders/rows")
    assert not any("ops_heartbeat" in query["sql"] for query in seen)


def test_the_status_part_renders_alone() -> None:
    cast.account()
    shown = cast.signed_in(cast.alice()).get("/frame/status")
    assert "1/1" in page_rules.text_of(shown)
    assert "<html" not in page_rules.text_of(shown)

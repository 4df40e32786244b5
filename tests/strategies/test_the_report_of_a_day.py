"""The end-of-day report: what was traded, what it cost, what was carried, and whether the broker agrees."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Account, User
from accounts.services import people
from algomirror.kernel import clock
from strategies.domain.daylines import DayFill, day_lines
from strategies.reports.day import day_report
from tests import cast, page_rules
from tests.strategies import stage
from trading.domain.positions import Traded, fold
from trading.services.outside import LEFT

pytestmark = pytest.mark.django_db
FRIDAY, THURSDAY = date(2026, 11, 20), date(2026, 11, 19)
MONEY = Decimal
# 15:30 in India closes the stage's market; 15:50 is twenty minutes later.
CLOSE = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def now(db: None) -> Any:
    frozen = clock.FrozenClock(cast.FRIDAY)
    with clock.use(frozen):
        stage.market()
        yield frozen


def short(of: Account, *, at: str = "104.00", **more: Any) -> Any:
    return cast.position(cast.book(of, cast.run()), price=at, **more)


def round_trip(of: Account) -> Any:
    """A short of one lot, sold at 104 and bought back at 100 on the same day."""
    position = short(of)
    cast.fill(cast.order(position.book, action="BUY", purpose="EXIT"), price="100.00")
    return position


def after_close(now: clock.FrozenClock) -> None:
    now.set(CLOSE + timedelta(minutes=1))


def page(of: Account, day: Any = FRIDAY, *, who: User | None = None) -> str:
    answer = cast.signed_in(who or cast.bob()).get("/reports", {"account": of.pk, "day": str(day)})
    assert answer.status_code == 200
    return page_rules.text_of(answer)


def test_a_round_trip_shows_both_sides_charges_by_kind_and_net(now: clock.FrozenClock) -> None:
    anil = cast.account()
    round_trip(anil)
    after_close(now)
    found = day_report(anil, FRIDAY)
    (line,) = found.lines
    assert (line.did.bought_units, line.did.bought_average) == (65, MONEY(100))
    assert (line.did.sold_units, line.did.sold_average) == (65, MONEY(104))
    assert (found.realised, found.open) == (MONEY(260), MONEY(0))
    # Sold 6,760 and bought 6,500: STT 0.15 % of 6,760; stamp 0.003 % of 6,500; SEBI 0.0001 % of 13,260; two orders of 20.
    kinds = dict(found.costs.by_kind)
    assert kinds["Brokerage"] == MONEY(40)
    assert kinds["STT"] == MONEY("10.14")
    assert kinds["Stamp duty"] == MONEY("0.20")
    assert kinds["SEBI fee"] == MONEY("0.01")
    # 0.03553 % of 13,260.
    assert kinds["Transaction charges"] == MONEY("4.71")
    # 18 % of 40 + 4.711278 + 0.01326.
    assert kinds["GST"] == MONEY("8.05")
    assert found.costs.total is not None and found.net == MONEY(260) - found.costs.total
    assert abs(found.costs.total - sum(v for v in kinds.values() if v is not None)) <= MONEY("0.03")
    assert (found.counted.orders, found.counted.filled, found.fills) == (2, 2, 2)


def test_what_is_held_is_marked_at_the_last_minute_before_the_close(now: clock.FrozenClock) -> None:
    anil = cast.account()
    position = short(anil)
    cast.minute(position.key, CLOSE - timedelta(minutes=2), "98.00")
    cast.minute(position.key, CLOSE - timedelta(minutes=1), "99.00")
    # Belongs to no session: must not count.
    cast.minute(position.key, CLOSE, "50.00")
    assert day_report(anil, FRIDAY).open is None, "the session goes on"
    after_close(now)
    found = day_report(anil, FRIDAY)
    assert found.open == MONEY(325)
    (line,) = found.carried
    assert (line.mark, line.did.held.units) == (MONEY(99), -65)
    assert found.realised == 0


@pytest.mark.parametrize(("minutes", "is_known"), [(4, True), (5, False)])
def test_a_minute_too_long_before_the_close_is_no_mark(now: clock.FrozenClock, minutes: int, is_known: bool) -> None:
    anil = cast.account()
    position = short(anil)
    cast.minute(position.key, CLOSE - timedelta(minutes=minutes), "99.00")
    after_close(now)
    assert (day_report(anil, FRIDAY).open is not None) is is_known


def test_one_leg_without_a_price_makes_the_open_sum_unknown_and_not_smaller(now: clock.FrozenClock) -> None:
    anil = cast.account()
    position = short(anil)
    cast.position(position.book, price="80.00", symbol=cast.PUT, leg=2)
    cast.minute(position.key, CLOSE - timedelta(minutes=1), "99.00")
    after_close(now)
    found = day_report(anil, FRIDAY)
    assert [line.open for line in found.lines if line.symbol == cast.PUT] == [None]
    assert found.open is None


def test_what_was_opened_yesterday_is_carried_and_realised_on_its_own_day(now: clock.FrozenClock) -> None:
    anil = cast.account()
    now.advance(-86_400)
    position = short(anil)
    now.advance(86_400)
    cast.fill(cast.order(position.book, action="BUY", purpose="EXIT"), price="100.00")
    before, today = day_report(anil, THURSDAY), day_report(anil, FRIDAY)
    assert (before.realised, len(before.carried), before.fills) == (MONEY(0), 1, 1)
    assert (today.realised, len(today.carried), today.fills) == (MONEY(260), 0, 1)
    assert before.costs.orders == today.costs.orders == 1


def test_a_position_that_only_lies_there_is_in_the_report(now: clock.FrozenClock) -> None:
    anil = cast.account()
    now.advance(-86_400)
    short(anil)
    now.advance(86_400)
    found = day_report(anil, FRIDAY)
    assert (len(found.carried), found.fills, found.is_empty) == (1, 0, False)
    assert found.costs.total == 0


def test_a_missing_rate_makes_charges_and_net_unknown_not_zero(now: clock.FrozenClock) -> None:
    from risk.models import ChargeRate

    anil = cast.account()
    round_trip(anil)
    ChargeRate.objects.filter(exchange="NFO", item="STT").delete()
    found = day_report(anil, FRIDAY)
    assert (found.costs.total, found.net, found.realised) == (None, None, MONEY(260))
    assert all(value is None for _, value in found.costs.by_kind)
    assert "A rate of that day is missing" in page(anil)


def test_orders_that_were_turned_away_are_counted_with_their_reason(now: clock.FrozenClock) -> None:
    anil = cast.account()
    book = cast.book(anil, cast.run())
    cast.order(book, state="REJECTED", reason="RMS: margin exceeds")
    cast.order(book, state="DENIED", reason="MARGIN_SHORT", action="BUY")
    found = day_report(anil, FRIDAY)
    assert (found.counted.orders, found.counted.rejected, found.counted.denied, found.fills) == (1, 1, 1, 0)
    shown = page(anil)
    assert "RMS: margin exceeds" in shown and "MARGIN_SHORT" in shown


def test_a_day_on_which_nothing_happened_says_so(now: clock.FrozenClock) -> None:
    anil = cast.account()
    assert day_report(anil, FRIDAY).is_empty
    assert "Nothing happened that day" in page(anil)


def test_paper_money_of_the_day_is_not_summed_with_live(now: clock.FrozenClock) -> None:
    anil = cast.account()
    round_trip(anil)
    Account.objects.filter(pk=anil.pk).update(mode="LIVE")
    anil.refresh_from_db()
    assert day_report(anil, FRIDAY).mode == "PAPER", "that day it only rehearsed"
    live = cast.book(anil, cast.run(mode="LIVE"))
    cast.position(live, price="50.00", symbol=cast.PUT)
    found = day_report(anil, FRIDAY)
    assert (found.mode, [line.symbol for line in found.lines]) == ("LIVE", [cast.PUT])


def test_the_broker_s_books_say_whether_everything_is_explained(now: clock.FrozenClock) -> None:
    anil = cast.account()
    short(anil)
    assert "there is no complete reading" in page(anil)
    now.advance(10)
    cast.read(anil, "POSITIONS", [cast.shown(cast.CALL, -65)])
    assert "Everything is explained" in page(anil)
    cast.read(anil, "POSITIONS", [cast.shown(cast.CALL, -130)])
    shown = page(anil)
    assert "Not everything is explained" in shown and "20 Nov 10:41:16" in shown
    cast.read(anil, "POSITIONS", [cast.shown(cast.CALL, -65)], error="timed out")
    assert "The last reading failed: timed out" in page(anil)


def test_what_traded_after_the_reading_is_not_called_explained(now: clock.FrozenClock) -> None:
    anil = cast.account()
    cast.read(anil, "POSITIONS", [])
    now.advance(10)
    short(anil)
    shown = page(anil)
    assert "Nobody can say yet: 1 instrument moved after this reading" in shown
    assert "verything is explained" not in shown


def test_an_order_of_which_nothing_is_known_is_not_explained(now: clock.FrozenClock) -> None:
    anil = cast.account()
    cast.order(cast.book(anil, cast.run()), state="UNKNOWN")
    now.advance(10)
    cast.read(anil, "POSITIONS", [])
    shown = page(anil)
    assert "Not everything is explained" in shown and "1 order of which nobody can say what became of it" in shown


def test_what_a_person_left_outside_is_explained(now: clock.FrozenClock) -> None:
    anil = cast.account()
    short(anil)
    now.advance(10)
    cast.read(anil, "POSITIONS", [cast.shown(cast.CALL, -65), cast.shown(cast.PUT, 65)])
    assert "Not everything is explained" in page(anil)
    cast.recorded(LEFT, actor="user:alice", subject=f"NFO:{cast.PUT}:NRML", account_id=anil.pk, units=65)
    shown = page(anil)
    assert "Everything is explained: 1 left outside" in shown and "left outside by alice" in shown


def test_the_day_is_the_last_that_has_begun_when_none_is_asked(now: clock.FrozenClock) -> None:
    anil = cast.account()
    round_trip(anil)
    now.set(datetime(2026, 11, 22, 6, 0, tzinfo=UTC))  # a Sunday
    shown = page_rules.text_of(cast.signed_in(cast.bob()).get("/reports"))
    assert "Fri 20 Nov 2026" in shown and "+₹260.00" in shown


@pytest.mark.parametrize(("day", "words"), [("soon", "Enter a valid date"), ("2026-11-21", "This day has not come yet")])
def test_a_day_that_is_none_is_refused_by_name(now: clock.FrozenClock, day: str, words: str) -> None:
    anil = cast.account()
    round_trip(anil)
    answer = cast.signed_in(cast.bob()).get("/reports", {"account": anil.pk, "day": day})
    assert answer.status_code == 422 and words in page_rules.text_of(answer)
    assert "By run and instrument" not in page_rules.text_of(answer)


def test_another_s_account_does_not_exist(now: clock.FrozenClock) -> None:
    mine, other = cast.account("Mine"), cast.account("Theirs")
    round_trip(other)
    bob = cast.bob()
    people.assign(cast.alice(), bob.pk, [mine.pk])
    client = cast.signed_in(bob)
    for url in ("/reports", "/reports/file/csv", "/reports/file/xlsx"):
        assert client.get(url, {"account": other.pk, "day": str(FRIDAY)}).status_code == 404
        assert client.get(url, {"account": "999999"}).status_code == 404
        assert client.get(url, {"account": mine.pk, "day": str(FRIDAY)}).status_code == 200
    assert "Theirs" not in page_rules.text_of(client.get("/reports"))
    assert cast.signed_in(None).get("/reports").status_code == 302


def test_without_any_account_the_page_says_what_to_do(now: clock.FrozenClock) -> None:
    assert "No account yet" in page_rules.text_of(cast.signed_in(cast.alice()).get("/reports"))


def test_it_leaves_as_csv_and_as_a_workbook(now: clock.FrozenClock) -> None:
    anil = cast.account()
    round_trip(anil)
    client = cast.signed_in(cast.bob())
    answer = client.get("/reports/file/csv", {"account": anil.pk, "day": str(FRIDAY)})
    head, row = b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    told = dict(zip(head.split(","), row.split(","), strict=True))
    assert (told["symbol"], told["bought"], told["bought average"], told["sold average"]) == (
        cast.CALL,
        "65",
        "100.0000",
        "104.0000",
    )
    assert (MONEY(told["realised"]), told["stt"], told["held"], told["open"]) == (MONEY(260), "10.14", "0", "0")
    book = client.get("/reports/file/xlsx", {"account": anil.pk, "day": str(FRIDAY)})
    with zipfile.ZipFile(io.BytesIO(book.content)) as file:
        assert file.read("xl/workbook.xml").count(b"<sheet ") == 3
        assert "10.14" in file.read("xl/worksheets/sheet1.xml").decode()
    assert client.get("/reports/file/pdf", {"account": anil.pk, "day": str(FRIDAY)}).status_code == 404


def test_reading_it_changes_nothing_and_asks_no_more_for_more_lines(now: clock.FrozenClock) -> None:
    anil = cast.account()
    round_trip(anil)
    client = cast.signed_in(cast.bob())
    client.get("/reports", {"account": anil.pk})
    before = page_rules.world()
    assert client.get("/reports", {"account": anil.pk}).status_code == 200
    assert page_rules.world() == before

    def asked() -> int:
        with CaptureQueriesContext(connection) as seen:
            day_report(anil, FRIDAY)
        return len(seen)

    few = asked()
    for _ in range(4):
        round_trip(anil)
    assert asked() == few <= 13


PLACES = [(1, ("NFO", "A", "NRML")), (1, ("NFO", "B", "NRML")), (2, ("NFO", "A", "NRML"))]
FILLS = st.lists(
    st.tuples(
        st.sampled_from(PLACES),
        st.integers(0, 2),
        st.sampled_from(["BUY", "SELL"]),
        st.integers(1, 200),
        st.integers(1, 50_000),
    ),
    max_size=30,
)


@given(FILLS)
def test_the_days_add_up_to_the_whole_whatever_was_traded(rows: list[Any]) -> None:
    fills = [
        DayFill(place, FRIDAY + timedelta(days=day), action, units, units * MONEY(paisa) / 100)
        for place, day, action, units, paisa in sorted(rows, key=lambda row: row[1])
    ]
    days = [day_lines(fills, FRIDAY + timedelta(days=n)) for n in range(3)]
    for place in PLACES:
        whole = fold(Traded(f.action, f.units, f.value) for f in fills if f.place == place)
        mine = [day[place] for day in days if place in day]
        assert sum((line.realised for line in mine), MONEY(0)) == whole.realised
        assert sum(line.bought_units for line in mine) == whole.bought_units
        assert sum((line.sold_value for line in mine), MONEY(0)) == whole.sold_value
        assert (days[-1][place].held.units if place in days[-1] else 0) == whole.units

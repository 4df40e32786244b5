"""What a person decides about what the books do not explain: adopt, close outside, leave, thaw, settle an order."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext

from accounts.models import Account
from algomirror.kernel import clock
from algomirror.ops.models import Journal
from marketdata.models import Instrument
from tests import cast, page_rules
from trading.models import Book, BrokerOrder, Fill, Order, Position
from trading.pages.reconciliation import Wish, reconciliation_page
from trading.services import apply


@pytest.fixture(autouse=True)
def _contracts(now: clock.FrozenClock) -> None:
    for symbol in (cast.CALL, cast.PUT, cast.HEDGE_CALL):
        Instrument.objects.create(
            exchange="NFO", symbol=symbol, underlying="NIFTY", kind=symbol[-2:], lot_units=65, freeze_units=1755,
            tick=Decimal("0.05"), listed_on=clock.trading_day(),
        )  # fmt: skip


def decide(
    act: str, of: Account, *, ours: int, broker: int, symbol: str = cast.PUT, who: Any = None, **fields: Any
) -> HttpResponse:
    body = {"place": f"{of.pk}:NFO:{symbol}:NRML", "ours": ours, "broker": broker, "idempotency_key": "k1", **fields}
    client = cast.signed_in(who or cast.alice())
    answer: HttpResponse = client.post(f"/reconciliation/{act}", body)  # type: ignore[assignment]
    return answer


def page_text() -> str:
    return page_rules.text_of(cast.signed_in(cast.alice()).get("/reconciliation"))


def outside_65(name: str = "Zerodha Anil") -> Account:
    anil = cast.account(name)
    cast.read(anil, "POSITIONS", [cast.shown(cast.PUT, 65, average="80.50")])
    return anil


def test_an_outside_position_is_adopted_by_the_ticket_book_at_the_brokers_average() -> None:
    anil = outside_65()
    assert "outside only" in page_text()
    assert decide("adopt", anil, ours=0, broker=65).status_code == 302
    held = Position.objects.get()
    assert (held.book.kind, held.units, held.open_value) == ("TICKET", 65, Decimal("5232.5"))
    assert Fill.objects.get().source == Fill.Source.OUTSIDE
    assert Order.objects.get().state == "FILLED"
    assert Journal.objects.get(kind="outside.adopted").numbers["price"] == "80.50"


def test_the_next_reading_of_the_same_net_agrees(now: clock.FrozenClock) -> None:
    anil = outside_65()
    decide("adopt", anil, ours=0, broker=65)
    now.advance(5)
    cast.read(anil, "POSITIONS", [cast.shown(cast.PUT, 65)])
    assert [line.compared.verdict.value for line in reconciliation_page(Wish()).lines] == ["agrees"]


def test_it_can_be_adopted_into_an_open_run_at_a_typed_price() -> None:
    anil = outside_65()
    book = cast.book(anil, cast.run())
    decide("adopt", anil, ours=0, broker=65, book=book.pk, price="79.00")
    held = Position.objects.get(book=book)
    assert (held.units, held.open_value, held.leg) == (65, Decimal("5135.00"), 1)


def test_a_second_click_shows_the_first_outcome_and_adopts_nothing_more() -> None:
    anil = outside_65()
    decide("adopt", anil, ours=0, broker=65)
    assert decide("adopt", anil, ours=0, broker=65).status_code == 302
    assert Position.objects.get().units == 65


def test_two_people_cannot_adopt_the_same_position_twice() -> None:
    anil = outside_65()
    decide("adopt", anil, ours=0, broker=65)
    assert decide("adopt", anil, ours=0, broker=65, idempotency_key="k2").status_code == 409
    assert Position.objects.get().units == 65


@pytest.mark.parametrize(("ours", "broker"), [(0, 130), (65, 65), (0, 64)])
def test_what_changed_since_it_was_looked_at_is_not_decided(ours: int, broker: int) -> None:
    anil = outside_65()
    assert decide("adopt", anil, ours=ours, broker=broker).status_code in (409, 422)
    assert not Position.objects.exists()


@pytest.mark.parametrize(("ago_s", "error"), [(301, ""), (1, "TIMEOUT: no answer")])
def test_an_old_or_failed_reading_decides_nothing(ago_s: float, error: str) -> None:
    anil = outside_65()
    cast.read(anil, "POSITIONS", [cast.shown(cast.PUT, 65)], ago_s=ago_s, error=error)
    answer = decide("adopt", anil, ours=0, broker=65)
    assert answer.status_code == 422
    assert "read the brokers first" in page_rules.text_of(answer)
    assert not Position.objects.exists()


def test_a_frozen_or_foreign_book_takes_nothing_on() -> None:
    anil, bina = outside_65(), cast.account("Bina Two")
    frozen, foreign = cast.book(anil, cast.run(), state="FROZEN"), cast.book(bina, cast.run())
    assert decide("adopt", anil, ours=0, broker=65, book=frozen.pk).status_code == 422
    assert decide("adopt", anil, ours=0, broker=65, book=foreign.pk).status_code == 422
    assert not Position.objects.exists()


def test_a_position_without_a_known_price_wants_one_typed() -> None:
    anil = cast.account()
    cast.read(anil, "POSITIONS", [{**cast.shown(cast.PUT, 65), "average_price": None}])
    answer = decide("adopt", anil, ours=0, broker=65)
    assert answer.status_code == 422
    assert "type what a unit cost" in page_rules.text_of(answer)


def closed_elsewhere(now: clock.FrozenClock) -> tuple[Account, Book]:
    anil = cast.account()
    book = cast.book(anil, cast.run())
    cast.position(book, symbol=cast.PUT, action="SELL", price="100.00")
    now.advance(60)
    cast.read(anil, "POSITIONS", [])
    return anil, book


def test_what_the_broker_no_longer_shows_leaves_the_book_as_closed_outside(now: clock.FrozenClock) -> None:
    anil, book = closed_elsewhere(now)
    assert "differs" in page_text()
    assert decide("close", anil, ours=-65, broker=0, book=book.pk, price="90.00").status_code == 302
    held = Position.objects.get()
    assert (held.units, held.realised) == (0, Decimal(650))
    assert Order.objects.get(purpose="EXIT").reason == "trades elsewhere closed it"


def test_a_second_click_on_closed_outside_takes_nothing_more(now: clock.FrozenClock) -> None:
    anil, book = closed_elsewhere(now)
    for _ in range(2):
        assert decide("close", anil, ours=-65, broker=0, book=book.pk, price="90.00").status_code == 302
    assert Fill.objects.filter(source="OUTSIDE").count() == 1


def test_closed_outside_needs_a_smaller_net_and_the_book_that_held_it(now: clock.FrozenClock) -> None:
    anil, book = closed_elsewhere(now)
    other = cast.book(anil, cast.run("Other"))
    assert decide("close", anil, ours=-65, broker=0, book=other.pk, price="90.00").status_code == 422
    assert decide("adopt", anil, ours=-65, broker=0).status_code == 422
    cast.read(anil, "POSITIONS", [cast.shown(cast.PUT, -130)])
    assert decide("close", anil, ours=-65, broker=-130, book=book.pk, price="90.00").status_code == 422
    assert Position.objects.get().units == -65


def test_only_as_much_leaves_as_the_broker_lacks(now: clock.FrozenClock) -> None:
    anil, book = closed_elsewhere(now)
    cast.fill(cast.order(book, symbol=cast.PUT, units=65), price="100.00")
    now.advance(60)
    cast.read(anil, "POSITIONS", [cast.shown(cast.PUT, -65)])
    decide("close", anil, ours=-130, broker=-65, book=book.pk, price="90.00")
    assert Position.objects.get().units == -65


def test_what_is_left_outside_is_shown_as_left_until_it_changes() -> None:
    anil = outside_65()
    assert decide("leave", anil, ours=0, broker=65, why="Anil's own").status_code == 302
    assert "left outside by alice" in page_text()
    assert not Order.objects.exists()
    cast.read(anil, "POSITIONS", [cast.shown(cast.PUT, 130)])
    assert "left outside by alice" not in page_text()


def test_a_frozen_book_is_thawed_with_a_typed_reason_only() -> None:
    book = cast.book(cast.account(), cast.run())
    apply.freeze(book.pk, kind="AMBIGUOUS", why="two answers for one order")
    assert "two answers for one order" in page_text()
    client = cast.signed_in(cast.alice())
    assert client.post("/reconciliation/thaw", {"book": book.pk, "why": "ok"}).status_code == 422
    assert Book.objects.get().state == "FROZEN"
    client.post("/reconciliation/thaw", {"book": book.pk, "why": "looked at the broker: one order"})
    assert Book.objects.get().state == "OPEN"
    assert Journal.objects.get(kind="book.thawed").why == "looked at the broker: one order"
    assert client.post("/reconciliation/thaw", {"book": book.pk, "why": "once more please"}).status_code == 409


def lost_order(state: str = "UNKNOWN") -> Order:
    anil = cast.account()
    row = cast.order(cast.book(anil, cast.run()), state=state, symbol=cast.PUT)
    clock_now = clock.now()
    cast.read(anil, "ORDERS", [], ago_s=0)
    Order.objects.filter(pk=row.pk).update(sent_at=clock_now - timedelta(seconds=20))
    row.refresh_from_db()
    return row


def settle(row: Order, **fields: Any) -> HttpResponse:
    body = {"order": row.pk, "why": "the broker's own page shows it", **fields}
    answer: HttpResponse = cast.signed_in(cast.alice()).post("/reconciliation/order", body)  # type: ignore[assignment]
    return answer


def test_an_order_the_broker_never_had_is_settled_as_such() -> None:
    row = lost_order()
    assert settle(row).status_code == 302
    row.refresh_from_db()
    assert row.state == "LAPSED"
    assert "Orders in doubt" not in page_text()


def test_an_order_is_not_called_never_sent_before_the_books_were_read_since() -> None:
    row = lost_order()
    Order.objects.filter(pk=row.pk).update(sent_at=clock.now())
    assert settle(row).status_code == 422
    row.refresh_from_db()
    assert row.state == "UNKNOWN"


@pytest.mark.parametrize("state", ["UNKNOWN", "LAPSED"])
def test_a_person_says_which_broker_order_it_is(state: str) -> None:
    row = lost_order(state)
    seen = cast.outside_order(row.account, action="SELL")
    assert seen.broker_order_id in page_text()
    assert settle(row, broker_order_id=seen.broker_order_id).status_code == 302
    row.refresh_from_db()
    assert (row.state, row.broker_order_id) == ("ACCEPTED", seen.broker_order_id)
    assert BrokerOrder.objects.get(pk=seen.pk).order_id == row.pk


def test_an_order_of_another_shape_is_not_it() -> None:
    row = lost_order()
    seen = cast.outside_order(row.account, action="BUY")
    assert settle(row, broker_order_id=seen.broker_order_id).status_code == 422
    row.refresh_from_db()
    assert row.broker_order_id == ""


def test_who_may_only_look_sees_it_all_and_decides_nothing() -> None:
    anil = outside_65()
    shown = page_rules.text_of(cast.signed_in(cast.bob()).get("/reconciliation"))
    assert "outside only" in shown
    assert "Decide" not in shown
    assert decide("adopt", anil, ours=0, broker=65, who=cast.bob()).status_code == 403


def test_the_page_of_one_line_offers_what_fits_it(now: clock.FrozenClock) -> None:
    anil = outside_65()
    client = cast.signed_in(cast.alice())
    shown = page_rules.text_of(client.get(f"/reconciliation/item?place={anil.pk}:NFO:{cast.PUT}:NRML"))
    assert "Adopt it" in shown
    assert "Leave it outside" in shown
    assert "It was closed outside" not in shown
    assert client.get("/reconciliation/item?place=1:NFO:NOTHING:NRML").status_code == 404
    assert client.get("/reconciliation/item?place=nonsense").status_code == 404


def test_differences_come_first_and_agreeing_lines_can_be_hidden(now: clock.FrozenClock) -> None:
    anil, _ = closed_elsewhere(now)
    cast.position(cast.book(anil, cast.run("Two")), symbol=cast.CALL)
    now.advance(60)
    cast.read(anil, "POSITIONS", [cast.shown(cast.CALL, -65)])
    assert [line.compared.verdict.value for line in reconciliation_page(Wish()).lines] == ["differs", "agrees"]
    assert [line.symbol for line in reconciliation_page(Wish(differences=True)).lines] == [cast.PUT]


def test_the_number_of_queries_does_not_depend_on_what_is_shown() -> None:
    for number in range(4):
        anil = outside_65(f"Account {number}")
        cast.position(cast.book(anil, cast.run(f"Run {number}")))
        apply.freeze(cast.book(anil, cast.run(f"Frozen {number}")).pk, kind="AMBIGUOUS", why="two explanations")
        cast.order(cast.book(anil), state="UNKNOWN", symbol=cast.PUT)
    with CaptureQueriesContext(connection) as asked:
        reconciliation_page(Wish())
    assert len(asked) <= 15


def by_api(key: str = "a1", **body: Any) -> HttpResponse:
    client = cast.signed_in(cast.alice())
    answer: HttpResponse = client.post(  # type: ignore[assignment]
        "/api/v1/reconciliation/resolve", body, content_type="application/json", headers={"Idempotency-Key": key}
    )
    return answer


def test_the_api_decides_the_same_things() -> None:
    anil = outside_65()
    place = {"account": anil.pk, "exchange": "NFO", "symbol": cast.PUT, "product": "NRML"}
    assert by_api(action="ADOPT", ours=0, broker=65, **place).status_code == 202
    book = Position.objects.get().book
    apply.freeze(book.pk, kind="AMBIGUOUS", why="two answers")
    assert by_api("a2", action="RELEASE", book=book.pk, why="looked at the broker").status_code == 202
    row = cast.order(book, state="LAPSED", symbol=cast.PUT)
    cast.read(anil, "ORDERS", [], ago_s=-1)
    assert by_api("a3", action="NEVER_SENT", order=row.pk, why="the broker shows none").status_code == 202
    book.refresh_from_db()
    assert book.state == "OPEN"


@pytest.mark.parametrize(
    ("body", "field"),
    [({"action": "ADOPT", "account": 1}, "symbol"), ({"action": "RELEASE", "book": 1}, "why"), ({"action": "HOPE"}, "action"),
     ({"action": "RELEASE", "book": 1, "why": "no"}, "why"), ({"action": "LEAVE", "acount": 1}, "acount")],
)  # fmt: skip
def test_the_api_names_what_is_wrong(body: dict[str, Any], field: str) -> None:
    answer = by_api(**body)
    assert answer.status_code == 400
    assert field in page_rules.text_of(answer)

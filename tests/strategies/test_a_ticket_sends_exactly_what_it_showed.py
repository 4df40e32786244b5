from __future__ import annotations

from decimal import Decimal

import pytest

from algomirror.kernel import clock
from algomirror.kernel.errors import Denied, Refused
from marketdata import quotes
from marketdata.domain.quotes import Quote, Source
from strategies.domain.tickets import Ticket, TicketLeg
from strategies.services import ticket as tickets
from tests.strategies import stage
from trading.models import Book, ExitGoal, Order, Position

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_now")]


def one(action="BUY", lots=1, strike=24050, kind="CE"):
    exchange, _, symbol = stage.option(strike, kind).partition(":")
    return TicketLeg(exchange, symbol, action, lots)


def ask(legs, accounts, **more):
    return tickets.preview_ticket(Ticket(tuple(legs), tuple(a.pk for a in accounts), "NRML", **more), user=stage.alice())


def send(plan):
    return tickets.send_ticket(plan.key, digest=plan.digest, by="user:alice")


def test_one_order_to_many_accounts():
    plan = ask([one()], [stage.account(1), stage.account(2)])
    sent = send(plan)
    assert len(sent.order_ids) == 2 and send(plan) == sent
    assert {(o.symbol, o.action, o.price_type, o.protected) for o in Order.objects.all()} == {
        ("NIFTY24NOV2624050CE", "BUY", "LIMIT", True)
    }
    assert {b.kind for b in Book.objects.all()} == {"TICKET"}


def test_a_trader_s_limit_rests_as_typed():
    plan = ask([one()], [stage.account(1)], price_type="LIMIT", price=Decimal("90.05"))
    send(plan)
    order = Order.objects.get()
    assert (order.price_type, order.price, order.protected) == ("LIMIT", Decimal("90.05"), False)


@pytest.mark.parametrize(("side", "price"), [("BUY", "95.15"), ("SELL", "94.85")])
def test_a_smart_price_is_a_limit_that_rests(side, price):
    send(ask([one(side)], [stage.account(1)], price_type="SMART"))
    order = Order.objects.get()
    assert (order.price_type, order.price, order.protected) == ("LIMIT", Decimal(price), False)


def test_without_both_sides_there_is_no_smart_price():
    quotes.put([Quote(one().key, Decimal(95), clock.now(), Source.STREAM, bid=Decimal("94.95"))])
    with pytest.raises(Refused) as refused:
        ask([one()], [stage.account(1)], price_type="SMART")
    assert "no bid and ask" in refused.value.fields["price_type"]


def test_a_stop_carries_its_trigger():
    send(ask([one("SELL")], [stage.account(1)], price_type="SL-M", trigger_price=Decimal("80.00")))
    order = Order.objects.get()
    assert (order.price_type, order.trigger_price) == ("SL-M", Decimal(80))


def test_a_basket_links_its_hedge_and_its_leg_numbers_are_new_in_the_book():
    a = stage.account(1)
    send(ask([one("SELL"), one("BUY", strike=24200)], [a]))
    stage.books_read(a)
    send(ask([one("SELL", strike=24100), one("BUY", strike=24250)], [a]))
    rows = {o.leg: (o.purpose, o.hedge_legs) for o in Order.objects.all()}
    assert rows == {1: ("ENTRY", [2]), 2: ("HEDGE", [1]), 3: ("ENTRY", [4]), 4: ("HEDGE", [3])}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"price_type": "LIMIT"}, "price"),
        ({"price_type": "LIMIT", "price": Decimal(0)}, "price"),
        ({"price_type": "LIMIT", "price": Decimal("90.02")}, "price"),
        # 95 at the market: 57 to 133 is the range; a stop's trigger has the same, its limit lies around the trigger.
        ({"price_type": "LIMIT", "price": Decimal("133.05")}, "price"),
        ({"price_type": "LIMIT", "price": Decimal("56.95")}, "price"),
        ({"price_type": "SL-M", "trigger_price": Decimal("133.05")}, "trigger_price"),
        ({"price_type": "SL", "price": Decimal("140.05"), "trigger_price": Decimal(100)}, "price"),
        ({"price_type": "SL", "price": Decimal(90)}, "trigger_price"),
        ({"price_type": "SL", "price": Decimal(90), "trigger_price": Decimal(95)}, "price"),
        ({"price_type": "SL-M"}, "trigger_price"),
        # A stop that the market has met already is none: 95 is the last price.
        ({"price_type": "SL-M", "trigger_price": Decimal(95)}, "trigger_price"),
        ({"price_type": "SL", "price": Decimal(95), "trigger_price": Decimal(90)}, "trigger_price"),
        ({"price_type": "SMART", "price": Decimal(90)}, "price"),
        ({"price_type": "SMART", "trigger_price": Decimal(90)}, "trigger_price"),
        ({"price_type": "SMART", "reduce_only": True}, "price_type"),
        ({"price_type": "MARKET"}, "price_type"),
        ({"price": Decimal(90)}, "price"),
        ({"price_type": "LIMIT", "price": Decimal(90), "reduce_only": True}, "price_type"),
    ],
)
def test_bad_prices_are_refused_by_field(change, field):
    with pytest.raises(Refused) as refused:
        ask([one()], [stage.account(1)], **change)
    assert field in refused.value.fields and not Order.objects.exists()


@pytest.mark.parametrize("lots", [0, -1, 101])
def test_bad_lots_are_refused(lots):
    with pytest.raises(Refused) as refused:
        ask([one(lots=lots)], [stage.account(1)])
    assert "lots" in refused.value.fields


def test_foreign_and_archived_accounts_and_unknown_contracts_are_refused():
    a = stage.account(1)
    with pytest.raises(Refused) as refused:
        tickets.preview_ticket(Ticket((one(),), (a.pk, 4711), "NRML"), user=stage.alice())
    assert "accounts" in refused.value.fields
    with pytest.raises(Denied) as denied:
        ask([TicketLeg("NFO", "NIFTY99NOV2699999CE", "BUY", 1)], [a])
    assert denied.value.code == "INSTRUMENT_UNKNOWN"


def test_an_old_or_changed_ticket_is_refused(_now):
    plan = ask([one()], [stage.account(1)])
    with pytest.raises(Denied):
        tickets.send_ticket(plan.key, digest="", by="user:alice")
    _now.advance(31)
    with pytest.raises(Denied) as denied:
        send(plan)
    assert denied.value.code == "PLAN_EXPIRED" and not Order.objects.exists()


def owning(a, units=130):
    send(ask([one("BUY", lots=2)], [a]))
    order = Order.objects.get()
    Order.objects.update(state="FILLED", filled_units=130)
    Position.objects.create(
        book=order.book, exchange="NFO", symbol=order.symbol, product="NRML", units=units, open_value=Decimal(100) * units
    )


def test_reduce_only_is_an_exit_goal_for_the_owned_part():
    a = stage.account(1)
    owning(a)
    sent = send(ask([one("SELL")], [a], reduce_only=True))
    goal = ExitGoal.objects.get()
    assert sent.goal_ids == (goal.pk,) and goal.targets == {"NFO:NIFTY24NOV2624050CE:NRML": 65}
    assert Order.objects.count() == 1


@pytest.mark.parametrize(("action", "lots"), [("BUY", 1), ("SELL", 3)])
def test_reduce_only_never_increases_or_turns(action, lots):
    a = stage.account(1)
    owning(a)
    with pytest.raises(Refused) as refused:
        ask([one(action, lots=lots)], [a], reduce_only=True)
    assert "reduce_only" in refused.value.fields

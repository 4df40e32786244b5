from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from accounts.gateway.reports import Failed, OrderTicket, Read, Verdict, Why, Word
from algomirror.ops.outgoing import InTransaction
from simulator.world import World
from tests.accounts.far import gateway

NFO = "NFO"


@pytest.fixture
def world() -> World:
    return World(accounts=2, always_open=True, limits=None)


def option(world: World) -> str:
    listed, strike = gateway(world).instruments(NFO), _atm(world)
    assert isinstance(listed, Read)
    return next(i.symbol for i in listed.value if i.name == "NIFTY" and i.kind == "CE" and i.strike == strike)


def _atm(world: World) -> Decimal:
    quotes = gateway(world).quotes([("NSE_INDEX", "NIFTY")])
    assert isinstance(quotes, Read)
    return (quotes.value[0].last_price / 50).to_integral_value() * 50


def ticket(symbol: str, *, units: int, price: str = "0", price_type: str = "MARKET", action: str = "BUY") -> OrderTicket:
    return OrderTicket(NFO, symbol, action, "NRML", price_type, units, Decimal(price), Decimal(0))  # type: ignore[arg-type]


def lot(world: World, symbol: str) -> int:
    found = gateway(world).instrument(exchange=NFO, symbol=symbol)
    assert isinstance(found, Read)
    return found.value.lot_units


@pytest.mark.parametrize("profile", ["sandbox", "zerodha", "noren", "xts"])
def test_an_order_goes_out_fills_and_shows_in_all_books(profile: str) -> None:
    world = World(accounts=1, always_open=True, limits=None, profile=profile)
    door = gateway(world)
    symbol = option(world)
    units = lot(world, symbol)
    reply = door.place(ticket(symbol, units=units))
    assert reply.verdict is Verdict.ACCEPTED and reply.broker_order_id
    assert reply.mode == ("PAPER" if profile == "sandbox" else "LIVE")
    world.clock.advance(5)
    world.tick(3)

    orders, trades, positions, funds = door.order_book(), door.trade_book(), door.position_book(), door.funds()
    assert isinstance(orders, Read) and isinstance(trades, Read) and isinstance(positions, Read) and isinstance(funds, Read)
    assert [(o.broker_order_id, o.word, o.units) for o in orders.value] == [(reply.broker_order_id, Word.COMPLETE, units)]
    assert sum(t.units for t in trades.value) == units and all(t.price > 0 for t in trades.value)
    assert [(p.symbol, p.units) for p in positions.value] == [(symbol, units)]
    assert funds.value.available_cash > 0 and funds.mode == reply.mode


def test_a_resting_order_can_be_modified_and_cancelled(world: World) -> None:
    door, symbol = gateway(world), option(world)
    units = lot(world, symbol)
    placed = door.place(ticket(symbol, units=units, price="1.05", price_type="LIMIT"))
    assert placed.broker_order_id is not None
    changed = door.modify(placed.broker_order_id, ticket(symbol, units=units, price="1.10", price_type="LIMIT"))
    assert changed.verdict is Verdict.ACCEPTED
    book = door.order_book()
    assert isinstance(book, Read) and book.value[0].price == Decimal("1.10") and book.value[0].word is Word.WORKING
    assert door.cancel(placed.broker_order_id, exit=True).verdict is Verdict.ACCEPTED
    assert door.cancel(placed.broker_order_id).verdict is Verdict.REFUSED


def test_a_lost_reply_is_unknown_and_the_order_stands_in_the_book(world: World) -> None:
    door, symbol = gateway(world), option(world)
    world.faults.add("lost_reply")
    assert door.place(ticket(symbol, units=lot(world, symbol))).verdict is Verdict.UNKNOWN
    book = door.order_book()
    assert isinstance(book, Read) and len(book.value) == 1


@pytest.mark.parametrize("read", ["order_book", "trade_book", "position_book"])
def test_an_empty_book_counts_only_with_a_live_session_behind_it(world: World, read: str) -> None:
    door = gateway(world)
    answer = getattr(door, read)()
    assert isinstance(answer, Read) and answer.value == []
    world.faults.add("empty_funds")
    answer = getattr(door, read)()
    assert isinstance(answer, Failed) and answer.why is Why.NO_SESSION


def test_a_refused_key_is_told_apart_and_nothing_was_sent(world: World) -> None:
    door, symbol = gateway(world), option(world)
    world.faults.add("token_expired")
    failed = door.funds()
    assert isinstance(failed, Failed) and failed.why is Why.KEY_REFUSED
    reply = door.place(ticket(symbol, units=65))
    assert reply.verdict is Verdict.NOT_SENT and reply.key_refused


def test_it_says_which_broker_and_which_world(world: World) -> None:
    who = gateway(world).identify()
    assert isinstance(who, Read) and (who.value.broker, who.value.mode) == ("simulator", "PAPER")
    live = gateway(World(accounts=1, profile="zerodha", limits=None)).identify()
    assert isinstance(live, Read) and live.value.mode == "LIVE"


def test_listings_come_typed(world: World) -> None:
    door = gateway(world)
    days = door.expiries(underlying="NIFTY", exchange=NFO, kind="options")
    assert isinstance(days, Read) and days.value == sorted(days.value) and isinstance(days.value[0], date)
    chain = door.option_chain(underlying="NIFTY", exchange="NSE_INDEX", expiry=days.value[0], width=5)
    assert isinstance(chain, Read) and len(chain.value["chain"]) == 11
    calendar = door.holidays(2026)
    assert isinstance(calendar, Read) and calendar.value
    index = door.instrument(exchange="NSE_INDEX", symbol="NIFTY")
    assert isinstance(index, Read) and index.value.freeze_units is None
    missing = door.instrument(exchange=NFO, symbol="NOPE")
    assert isinstance(missing, Failed) and missing.why is Why.REFUSED


def test_unknown_symbols_are_left_out_of_quotes(world: World) -> None:
    door, symbol = gateway(world), option(world)
    answer = door.quotes([(NFO, symbol), ("NSE", "NOPE"), (NFO, symbol)])
    assert isinstance(answer, Read) and [(q.exchange, q.symbol) for q in answer.value] == [(NFO, symbol)]
    for fault in ("zero_price", "nan_price"):
        world.faults.add(fault)
        answer = door.quotes([(NFO, symbol)])
        assert isinstance(answer, Read) and answer.value == []


@pytest.mark.django_db(transaction=True)
def test_it_refuses_to_run_in_a_transaction(world: World) -> None:
    from django.db import transaction

    door = gateway(world)
    with transaction.atomic(), pytest.raises(InTransaction):
        door.funds()
    with transaction.atomic(), pytest.raises(InTransaction):
        door.place(ticket("X", units=1))
    assert world.accounts[0].calls == 0


@pytest.mark.django_db
def test_the_transaction_of_a_test_case_does_not_count_but_one_inside_it_does(world: World) -> None:
    from django.db import transaction

    assert isinstance(gateway(world).funds(), Read)
    with transaction.atomic(), pytest.raises(InTransaction):
        gateway(world).funds()


def test_the_sweeping_verbs_do_not_exist() -> None:
    room = Path(__file__).resolve().parents[2] / "accounts"
    verbs = re.compile(r"closeposition|cancelallorder|splitorder|basketorder|placesmartorder|optionsorder|optionsmultiorder")
    assert not [p for p in room.rglob("*.py") if verbs.search(p.read_text())]

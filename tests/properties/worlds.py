"""Orders of ours in any state, beside books with rows of ours, of others and lookalikes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from accounts.gateway.reports import BookOrder, Word
from trading.domain.changes import Change, Terms
from trading.domain.orders import UNACKNOWLEDGED, OrderState
from trading.domain.reconcile import OurOrder, SeenOrder, TradedSum

S = OrderState
NOW = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
STATES = sorted(set(S) - {S.INITIALIZED, S.DENIED})


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def ours(order_id: int = 1, **fields: object) -> OurOrder:
    base = OurOrder(
        order_id=order_id,
        book_id=order_id,
        exchange="NFO",
        symbol="A",
        product="NRML",
        action="BUY",
        units=4,
        price_type="LIMIT",
        price=Decimal(100),
        trigger_price=Decimal(0),
        state=S.ACCEPTED,
        broker_order_id="",
        filled_units=0,
        filled_value=Decimal(0),
        baseline_read=3,
        missing_reads=0,
        sent_at=ago(20),
    )
    return replace(base, **fields)  # type: ignore[arg-type]


def row(broker_order_id: str = "B1", word: Word = Word.WORKING, **fields: object) -> BookOrder:
    base = BookOrder(broker_order_id, "NFO", "A", "BUY", "NRML", "LIMIT", 4, Decimal(100), None, word, word.value.lower())
    return replace(base, **fields)  # type: ignore[arg-type]


CHANGES = st.one_of(
    st.none(),
    st.builds(
        Change,
        asked=st.builds(
            Terms,
            units=st.sampled_from([2, 4, 6]),
            price=st.sampled_from([Decimal(100), Decimal(103)]),
            trigger=st.just(Decimal(0)),
        ),
        asked_at=st.sampled_from([ago(0.05), ago(2), ago(9), ago(60)]),
        answered_at=st.sampled_from([None, ago(0.02), ago(8)]),
        refused=st.booleans(),
        in_doubt=st.booleans(),
    ),
)


# Made once: thousands of examples draw from each of them a dozen times.
EITHER, NONE_TO_THREE = st.booleans(), st.integers(0, 3)
ONE_TO_THREE, ONE_TO_FIVE, TWO_TO_FIVE = st.integers(1, 3), st.integers(1, 5), st.integers(2, 5)
UP_TO_FOUR, UP_TO_FIVE = st.integers(0, 4), st.integers(0, 5)
ANY_STATE, ANY_WORD, SYMBOLS = st.sampled_from(STATES), st.sampled_from(Word), st.sampled_from("AB")
SENT = st.sampled_from([0.05, 5, 20, 60]).map(ago)
CANCEL_ASKED, SINCE = st.sampled_from([None, ago(1), ago(9)]), st.sampled_from([None, ago(0.2), ago(3)])
FILLED = st.sampled_from([None, 0, 2, 4])


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[OurOrder], list[SeenOrder], dict[str, TradedSum]]:
    """Orders of ours in any state the table knows, beside a book with rows of ours, of others and lookalikes."""
    mine: list[OurOrder] = []
    book: list[SeenOrder] = []
    trades: dict[str, TradedSum] = {}
    for number in range(1, draw(ONE_TO_FIVE) + 1):
        state = draw(ANY_STATE)
        has_id = state not in UNACKNOWLEDGED | {S.LAPSED} or draw(EITHER)
        broker_id = f"B{number}" if has_id else ""
        filled = draw(UP_TO_FOUR) if has_id else 0
        mine.append(
            ours(
                number,
                book_id=draw(ONE_TO_THREE),
                symbol=draw(SYMBOLS),
                state=state,
                broker_order_id=broker_id,
                filled_units=filled,
                filled_value=Decimal(100 * filled),
                sent_at=draw(SENT),
                cancel_asked_at=draw(CANCEL_ASKED),
                missing_reads=draw(UP_TO_FIVE),
                change=draw(CHANGES) if has_id else None,
            )
        )
        if draw(EITHER):
            shown = broker_id or f"X{number}"
            book.append(_seen_like(mine[-1], shown, draw))
            units = draw(UP_TO_FIVE)
            if units:
                trades[shown] = TradedSum(units, Decimal(101 * units))
    for number in range(draw(NONE_TO_THREE)):
        book.append(_seen_like(draw(st.sampled_from(mine)), f"Y{number}", draw))
    return mine, book, trades


def _seen_like(order: OurOrder, broker_id: str, draw: st.DrawFn) -> SeenOrder:
    word = draw(ANY_WORD)
    asked = order.terms if order.change is None else order.change.asked
    units, price = draw(st.sampled_from([order.units, asked.units])), draw(st.sampled_from([order.price, asked.price]))
    filled = draw(FILLED)
    like = row(broker_id, word, symbol=order.symbol, units=units, price=price, filled_units=filled)
    since = draw(SINCE)
    return SeenOrder(like, draw(TWO_TO_FIVE), None, since)

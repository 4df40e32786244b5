from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from marketdata.domain.quotes import Bounds, Quote, Source
from tests.properties.profile import examples
from tests.properties.test_positions_conserve_cash import cash, fills
from trading.domain.pnl import book_pnl, run_pnl
from trading.domain.positions import Net, Traded, fold

NOW = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
BOUNDS = Bounds(stream_s=5, rest_s=10)


@dataclass(frozen=True)
class Held:
    key: str
    net: Net

    @property
    def units(self) -> int:
        return self.net.units

    @property
    def open_value(self) -> Decimal:
        return self.net.open_value

    @property
    def realised(self) -> Decimal:
        return self.net.realised


def quote(key: str, price: Decimal, *, age_s: float = 1.0) -> Quote:
    return Quote(key, price, NOW - timedelta(seconds=age_s), Source.STREAM)


books = st.lists(fills(), min_size=1, max_size=4)
marks = st.lists(st.integers(1, 1_000_000).map(lambda n: Decimal(n) / 20), min_size=4, max_size=4)


def held(rows: list[list[Traded]]) -> list[Held]:
    return [Held(f"NFO:L{n}", fold(leg)) for n, leg in enumerate(rows)]


@examples(200)
@given(books, marks)
def test_with_every_price_it_conserves_cash(rows: list[list[Traded]], prices: list[Decimal]) -> None:
    legs = held(rows)
    quotes = {leg.key: quote(leg.key, price) for leg, price in zip(legs, prices, strict=False)}
    pnl = book_pnl(legs, quotes, NOW, BOUNDS)
    value = sum((leg.units * price for leg, price in zip(legs, prices, strict=False)), Decimal(0))
    assert pnl.total == sum((cash(leg) for leg in rows), Decimal(0)) + value
    assert pnl.missing == ()


@examples(200)
@given(books, marks, st.data())
def test_without_any_one_price_of_an_open_leg_the_total_is_unknown(
    rows: list[list[Traded]], prices: list[Decimal], data: st.DataObject
) -> None:
    legs = held(rows)
    quotes = {leg.key: quote(leg.key, price) for leg, price in zip(legs, prices, strict=False)}
    gone = data.draw(st.sampled_from(legs))
    if data.draw(st.booleans()):
        del quotes[gone.key]
    else:
        quotes[gone.key] = quote(gone.key, prices[0], age_s=data.draw(st.floats(5.01, 90_000)))
    pnl = book_pnl(legs, quotes, NOW, BOUNDS)
    if gone.units:
        assert pnl.total is None and pnl.unrealised is None and gone.key in pnl.missing
    else:
        assert pnl.total is not None
    assert run_pnl([pnl]).total == pnl.total


@examples(100)
@given(books, marks)
def test_one_unknown_book_makes_the_run_unknown(rows: list[list[Traded]], prices: list[Decimal]) -> None:
    legs = held(rows)
    known = book_pnl(legs, {leg.key: quote(leg.key, p) for leg, p in zip(legs, prices, strict=False)}, NOW, BOUNDS)
    blind = book_pnl([Held("NFO:X", fold([Traded("BUY", 1, Decimal(5))]))], {}, NOW, BOUNDS)
    assert run_pnl([known, blind]).total is None
    assert run_pnl([known, known]).total == (known.total or 0) * 2

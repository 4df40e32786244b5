"""Lost orders of one book and one shape: which of them a broker's order is, its price and the broker's own times say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.gateway.reports import Word
from accounts.gateway.times import moment
from tests.properties.profile import examples
from tests.properties.test_reconcile_proves_or_stands_still import NOW, carry_out, judge, ours, seen
from trading.domain.orders import OrderState
from trading.domain.placing import BrokerClock
from trading.domain.reconcile import Adopt, Freeze, OurOrder, SeenOrder

S = OrderState
IST = ZoneInfo("Asia/Kolkata")
# As brokers write them; what a person reads in IST, without a mark of its zone.
WRITINGS: dict[str, Callable[[datetime], str]] = {
    "sandbox": lambda t: f"{t:%Y-%m-%d %H:%M:%S}",
    "month by name": lambda t: f"{t:%d-%b-%Y %H:%M:%S}",
    "ISO": lambda t: f"{t:%Y-%m-%dT%H:%M:%S}",
    "ISO with its zone": lambda t: f"{t:%Y-%m-%dT%H:%M:%S}+05:30",
    "ISO in UTC": lambda t: f"{t.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z",
    "day first": lambda t: f"{t:%d/%m/%Y %H:%M:%S}",
    "day last": lambda t: f"{t:%H:%M:%S %d-%m-%Y}",
    "afternoon by letters": lambda t: f"{t:%d-%b-%Y %I:%M:%S %p}",
    "of today": lambda t: f"{t:%H:%M:%S}",
    "epoch": lambda t: f"{t.timestamp():.0f}",
    "epoch in thousandths": lambda t: f"{t.timestamp() * 1000:.0f}",
}


@pytest.mark.parametrize("writing", WRITINGS)
def test_the_ways_of_writing_a_time(writing: str) -> None:
    for at in (datetime(2026, 11, 20, 14, 3, 9, tzinfo=IST), datetime(2026, 11, 2, 9, 15, 0, tzinfo=IST)):
        assert moment(WRITINGS[writing](at), at.date()) == at


@pytest.mark.parametrize(
    "text", ["", "now", "2026-11-20", "12:30", "2026-11-20 12:30", "25:00:00", "99:99:99 x", "0", "1e9", "9" * 40]
)
def test_what_is_no_time_to_the_second_says_nothing(text: str) -> None:
    assert moment(text, NOW.date()) is None


@examples(200)
@given(st.text(max_size=40))
def test_no_text_brings_it_down(text: str) -> None:
    found = moment(text, NOW.date())
    assert found is None or found.tzinfo is not None


# --- whose it is ---------------------------------------------------------------------------------

START = NOW - timedelta(minutes=20)


@st.composite
def lost_one_after_the_other(draw: st.DrawFn) -> tuple[list[OurOrder], list[SeenOrder], list[int]]:
    """Ours, the broker's order of each, and in which order those come to light. The first is one whose answer came."""
    writing = WRITINGS[draw(st.sampled_from(sorted(WRITINGS)))]
    # Its clock may be wrong by anything that keeps it within the day.
    ahead = timedelta(seconds=draw(st.floats(-3600, 3600)))
    alike, there = [], []
    at = START
    for number in range(1, draw(st.integers(3, 6))):
        at += timedelta(seconds=draw(st.floats(0, 60)))
        sent, placed = at, at + timedelta(seconds=draw(st.floats(0, 9)))
        at = placed + timedelta(seconds=draw(st.floats(0, 0.5)))
        is_witness = number == 1
        alike.append(
            ours(
                number,
                book_id=1,
                state=S.ACCEPTED if is_witness else draw(st.sampled_from([S.UNKNOWN, S.LAPSED])),
                sent_at=sent,
                answered_at=at if is_witness else None,
                broker_order_id="B1" if is_witness else "",
            )
        )
        there.append(seen(f"B{number}", placed_at=writing((placed + ahead).astimezone(IST))))
        # What two clocks of a second each can tell apart, and how long the answer took.
        at += timedelta(seconds=2.6)
    return alike, there, draw(st.permutations(range(1, len(there))))


@examples(500)
@given(lost_one_after_the_other())
def test_each_is_adopted_for_the_order_it_is(world: tuple[list[OurOrder], list[SeenOrder], list[int]]) -> None:
    """None was placed after the next was sent: whichever comes to light first, a broker's clock tells whose it is."""
    mine, there, order = world
    shown = [there[0]]
    for index in order:
        shown.append(there[index])
        changes = judge(mine, shown, {})
        assert not [c for c in changes if isinstance(c, Freeze)]
        assert [c for c in changes if isinstance(c, Adopt)] == [Adopt(index + 1, f"B{index + 1}")]
        mine = carry_out(mine, changes)


@examples(300)
@given(lost_one_after_the_other(), st.sampled_from(["", "nonsense", "1999-01-01 00:00:00", "2050-01-01 00:00:00"]))
def test_times_that_say_nothing_or_nonsense_keep_no_order_from_being_found(
    world: tuple[list[OurOrder], list[SeenOrder], list[int]], text: str
) -> None:
    mine, there, order = world
    shown = []
    for index in order:
        shown.append(replace(there[index], row=replace(there[index].row, placed_at=text)))
        changes = judge(mine, shown, {})
        assert [c.broker_order_id for c in changes if isinstance(c, Adopt)] == [f"B{index + 1}"]
        mine = carry_out(mine, changes)


FIRST = ours(1, book_id=1, state=S.LAPSED, sent_at=NOW - timedelta(seconds=60), answered_at=NOW - timedelta(seconds=50))
SECOND = replace(FIRST, order_id=2, state=S.UNKNOWN, sent_at=NOW - timedelta(seconds=30), answered_at=NOW - timedelta(seconds=20))


def _of(at: datetime) -> str:
    return f"{at.astimezone(IST):%Y-%m-%d %H:%M:%S}"


def test_without_an_order_to_go_by_the_clock_is_taken_at_its_word() -> None:
    early = seen("B7", placed_at=_of(NOW - timedelta(seconds=58)))
    assert Adopt(1, "B7") in judge([FIRST, SECOND], [early], {})
    later = seen("B7", placed_at=_of(NOW - timedelta(seconds=30)))
    assert Adopt(2, "B7") in judge([FIRST, SECOND], [later], {})


def test_a_price_tells_them_apart_before_the_clock_does() -> None:
    cheaper = replace(SECOND, price=Decimal(99))
    row = seen("B7", placed_at=_of(NOW - timedelta(seconds=28)))
    assert Adopt(1, "B7") in judge([FIRST, cheaper], [row], {})
    assert Adopt(2, "B7") in judge(
        [FIRST, cheaper], [seen("B7", price=Decimal(99), placed_at=_of(NOW - timedelta(seconds=58)))], {}
    )


def test_a_clock_never_decides_between_books_nor_takes_an_order_from_its_only_owner() -> None:
    early = seen("B7", placed_at=_of(NOW - timedelta(seconds=58)))
    assert Adopt not in {type(c) for c in judge([FIRST, replace(SECOND, book_id=2)], [early], {})}
    assert Adopt(2, "B7") in judge([SECOND], [early], {})
    assert {type(c) for c in judge([SECOND], [early, seen("B8", placed_at=_of(NOW))], {})} >= {Freeze}


def test_the_rows_of_a_modified_order_make_the_clock_no_less_sure() -> None:
    """Some brokers give the time of the last change: such a row says only that its clock is not further ahead than that."""
    honest, changed = (
        ours(n, sent_at=START, answered_at=START + timedelta(seconds=1), broker_order_id=f"B{n}", book_id=1) for n in (8, 9)
    )
    rows = [seen("B8", placed_at=_of(START + timedelta(seconds=1))), seen("B9", placed_at=_of(START + timedelta(minutes=9)))]
    clock = BrokerClock.told_by([honest, changed], rows, NOW)
    assert abs(clock.ahead) <= timedelta(seconds=1)
    assert clock.could_be(FIRST, seen("B7", Word.WORKING, placed_at=_of(NOW - timedelta(seconds=58))))

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.gateway.reports import Word
from tests.properties.profile import examples
from tests.properties.worlds import NOW, ago, ours, row, worlds
from trading.domain.news import Change as News
from trading.domain.orders import MOVES, UNACKNOWLEDGED, OrderState, check_move
from trading.domain.reconcile import (
    Adopt,
    Freeze,
    Missed,
    Modified,
    Move,
    Odd,
    OurOrder,
    Rules,
    SeenOrder,
    Strange,
    Traded,
    TradedSum,
    Unmodified,
    reconcile,
    sum_trades,
)

S = OrderState
RULES = Rules(lapse_reads=3, lapse_after=timedelta(seconds=10), sender=timedelta(seconds=14))
READ = NOW - timedelta(seconds=0.1)


def seen(broker_order_id: str = "B1", word: Word = Word.WORKING, *, first_read: int = 4, **fields: object) -> SeenOrder:
    return SeenOrder(row(broker_order_id, word, **fields), first_read, None, ago(2))


def judge(
    mine: Iterable[OurOrder],
    book: Iterable[SeenOrder] | None,
    trades: dict[str, TradedSum] | None,
    *,
    started: datetime | None = READ,
    rules: Rules = RULES,
    whole: bool = True,
    trades_whole: bool = True,
) -> list[News]:
    return reconcile(
        list(mine),
        orders=None if book is None else list(book),
        trades=trades,
        read_started=started,
        now=NOW,
        rules=rules,
        orders_whole=whole,
        trades_whole=trades_whole,
    )


def carry_out(mine: list[OurOrder], changes: list[News]) -> list[OurOrder]:
    by_id = {o.order_id: o for o in mine}
    for change in changes:
        o = by_id.get(change.order_id)
        match change:
            case Adopt(broker_order_id=found) if o:
                by_id[o.order_id] = replace(o, broker_order_id=found)
            case Move(to=to) if o:
                check_move(o.state, to)
                by_id[o.order_id] = replace(o, state=to)
            case Traded(units=units, value=value) if o:
                by_id[o.order_id] = replace(o, filled_units=units, filled_value=value)
            case Missed() if o:
                by_id[o.order_id] = replace(o, missing_reads=o.missing_reads + 1)
            case Modified(terms=terms) if o:
                by_id[o.order_id] = replace(o, units=terms.units, price=terms.price, trigger_price=terms.trigger, change=None)
            case Strange(word=word) if o:
                by_id[o.order_id] = replace(o, strange_word=word)
            case Unmodified(sure=sure) if o and o.change is not None:
                by_id[o.order_id] = replace(o, change=None if sure else replace(o.change, in_doubt=False))
            case _:
                pass
    return list(by_id.values())


# --- what no read may do -------------------------------------------------------------------------


@examples(300)
@given(worlds())
def test_failed_reads_change_nothing_but_give_up_a_sender(world: tuple[list[OurOrder], list[SeenOrder], object]) -> None:
    mine, book, _ = world
    by_id = {o.order_id: o for o in mine}
    for change in judge(mine, None, None):
        assert isinstance(change, Move)
        full = by_id[change.order_id].filled_units >= by_id[change.order_id].units
        assert change.to is (S.FILLED if full else S.UNKNOWN)  # FILLED heals a crash between the fill and the move
    units = {pk: order.units for pk, order in by_id.items()}
    for change in judge(mine, book, None):
        assert not isinstance(change, Traded)
        if isinstance(change, Modified):
            units[change.order_id] = change.terms.units
        if isinstance(change, Move) and change.to is S.CANCELED:
            raise AssertionError("an order ended without its trades having been read")
        if isinstance(change, Move) and change.to is S.FILLED:
            assert by_id[change.order_id].filled_units >= units[change.order_id]


@examples(500)
@given(worlds())
def test_every_move_is_in_the_table(world: tuple[list[OurOrder], list[SeenOrder], dict[str, TradedSum]]) -> None:
    mine, book, trades = world
    state = {o.order_id: o.state for o in mine}
    for change in judge(mine, book, trades):
        if isinstance(change, Move):
            assert change.to in MOVES[state[change.order_id]] | {state[change.order_id]}
            state[change.order_id] = change.to


@examples(500)
@given(worlds())
def test_a_second_pass_over_the_same_reads_changes_nothing(
    world: tuple[list[OurOrder], list[SeenOrder], dict[str, TradedSum]],
) -> None:
    mine, book, trades = world
    patient = replace(RULES, lapse_reads=1000, cancel_patience=timedelta(days=1))
    after = carry_out(mine, judge(mine, book, trades, rules=patient))
    after = carry_out(after, judge(after, book, trades, rules=patient))  # a given-up sender is judged one pass later
    left = [c for c in judge(after, book, trades, rules=patient) if not isinstance(c, Missed | Odd | Freeze)]
    assert left == []


@examples(500)
@given(worlds(), st.randoms())
def test_the_order_of_rows_does_not_matter(
    world: tuple[list[OurOrder], list[SeenOrder], dict[str, TradedSum]], chance: object
) -> None:
    mine, book, trades = world
    once = judge(mine, book, trades)
    shuffled, rows = list(mine), list(book)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    chance.shuffle(rows)  # type: ignore[attr-defined]
    assert sorted(map(repr, judge(shuffled, rows, trades))) == sorted(map(repr, once))


@examples(300)
@given(worlds())
def test_fills_only_grow_and_one_row_has_one_owner(
    world: tuple[list[OurOrder], list[SeenOrder], dict[str, TradedSum]],
) -> None:
    mine, book, trades = world
    changes = judge(mine, book, trades)
    before = {o.order_id: o for o in mine}
    taken = [c.broker_order_id for c in changes if isinstance(c, Adopt)]
    assert len(taken) == len(set(taken))
    assert not set(taken) & {o.broker_order_id for o in mine}
    for c in changes:
        if isinstance(c, Traded):
            assert c.units > before[c.order_id].filled_units
        if isinstance(c, Adopt):
            order = before[c.order_id]
            rivals = {o.book_id for o in mine if not o.broker_order_id and o.state in UNACKNOWLEDGED | {S.LAPSED}}
            likeness = [s for s in book if s.shape == order.shape and s.first_read > order.baseline_read]
            assert likeness and (len(rivals) >= 1)


@examples(200)
@given(worlds())
def test_nothing_is_concluded_from_absence_in_a_book_that_lost_rows(
    world: tuple[list[OurOrder], list[SeenOrder], dict[str, TradedSum]],
) -> None:
    mine, book, trades = world
    assert not [c for c in judge(mine, book, trades, whole=False) if isinstance(c, Move) and c.to is S.LAPSED]
    ended = {c.order_id for c in judge(mine, book, trades, trades_whole=False) if isinstance(c, Move) and c.to is S.CANCELED}
    assert not ended


# --- single rulings ------------------------------------------------------------------------------

LOST = ours(state=S.UNKNOWN, sent_at=ago(30), answered_at=ago(20))


@pytest.mark.parametrize(
    ("order", "lapses"),
    [
        (replace(LOST, missing_reads=2), True),
        (replace(LOST, missing_reads=1), False),
        (replace(LOST, missing_reads=9, answered_at=ago(9.9)), False),
        (replace(LOST, missing_reads=2, answered_at=ago(10)), True),
        (replace(LOST, missing_reads=9, state=S.SUBMITTED, sent_at=ago(13.9), answered_at=None), False),
        (replace(LOST, missing_reads=9, state=S.QUEUED), False),
        (replace(LOST, missing_reads=9, broker_order_id="B9"), False),
    ],
)
def test_a_lost_order_lapses_after_enough_whole_reads_and_enough_time(order: OurOrder, lapses: bool) -> None:
    assert (Move in {type(c) for c in judge([order], [], {})}) == lapses


def test_a_read_begun_before_the_order_was_sent_proves_nothing_by_its_absence() -> None:
    order = replace(LOST, missing_reads=9)
    assert judge([order], [], {}, started=ago(30.1)) == []
    assert judge([order], [], {}, started=ago(30)) == []
    assert isinstance(judge([order], [], {}, started=ago(29.9))[0], Move)


def test_the_only_order_of_its_shape_that_appeared_since_is_ours() -> None:
    assert judge([LOST], [seen("B7")], {})[0] == Adopt(1, "B7")
    assert Adopt not in {type(c) for c in judge([LOST], [seen("B7", first_read=3)], {})}
    for other in ({"units": 5}, {"symbol": "B"}, {"action": "SELL"}, {"product": "MIS"}, {"exchange": "BFO"}):
        assert Adopt not in {type(c) for c in judge([LOST], [seen("B7", **other)], {})}


def test_a_price_breaks_a_tie_and_never_decides_alone() -> None:
    two = [seen("B7"), seen("B8", price=Decimal(90))]
    assert judge([LOST], two, {})[0] == Adopt(1, "B7")
    assert judge([LOST], [two[1]], {})[0] == Adopt(1, "B8")
    assert {type(c) for c in judge([LOST], [seen("B7"), seen("B8")], {})} == {Freeze, Missed}


def test_a_row_that_could_be_two_books_is_nobodys() -> None:
    other = replace(LOST, order_id=2, book_id=2, state=S.LAPSED)
    assert Adopt not in {type(c) for c in judge([LOST, other], [seen("B7")], {})}
    same_book = replace(other, book_id=1)
    assert Adopt(2, "B7") in judge([LOST, same_book], [seen("B7")], {})


def test_a_sender_that_may_still_report_is_waited_for() -> None:
    on_the_wire = ours(state=S.SUBMITTED, sent_at=ago(3))
    assert judge([on_the_wire], [seen("B7")], {}) == []
    assert judge([on_the_wire], [seen("B7"), seen("B8")], {}) == []
    assert judge([replace(LOST, order_id=2, book_id=2), on_the_wire], [seen("B7")], {}) == [Missed(2)]
    assert judge([replace(on_the_wire, sender_gone=True)], [seen("B7")], {})[0] == Adopt(1, "B7")


KNOWN = ours(broker_order_id="B1")


def test_a_final_word_needs_a_second_look_and_the_trades() -> None:
    word = seen("B1", Word.CANCELLED)
    assert judge([KNOWN], [word], {}) == [Move(1, S.CANCELED, "cancelled")]
    assert judge([KNOWN], [replace(word, since=None)], {}) == []
    assert judge([KNOWN], [replace(word, since=READ)], {}) == []
    assert judge([KNOWN], [word], None) == []
    assert judge([KNOWN], [word], {}, trades_whole=False) == []
    assert judge([KNOWN], [seen("B1", Word.CANCELLED, filled_units=2)], {}) == []


def test_a_rejection_with_fills_is_a_cancel_of_the_rest() -> None:
    trades = {"B1": TradedSum(2, Decimal(200))}
    assert judge([KNOWN], [seen("B1", Word.REJECTED)], trades)[-1] == Move(1, S.CANCELED, "rejected")
    assert judge([KNOWN], [seen("B1", Word.REJECTED)], {}) == [Move(1, S.REJECTED, "rejected")]


@pytest.mark.parametrize("state", [S.ACCEPTED, S.CANCELED, S.REJECTED, S.LAPSED, S.PENDING_CANCEL, S.UNKNOWN])
def test_trades_make_fills_in_any_state_also_without_a_row(state: S) -> None:
    order = replace(KNOWN, state=state)
    changes = judge([order], [], {"B1": TradedSum(4, Decimal(400))})
    assert changes == [Traded(1, "B1", 4, Decimal(400)), Move(1, S.FILLED, "all units traded")]


def test_more_than_was_ordered_is_an_overfill() -> None:
    changes = judge([KNOWN], [seen()], {"B1": TradedSum(5, Decimal(500))})
    assert [type(c) for c in changes] == [Traded, Odd, Move]


def test_a_cancel_without_effect_is_taken_back_after_patience() -> None:
    asked = replace(KNOWN, state=S.PENDING_CANCEL)
    assert judge([replace(asked, cancel_asked_at=ago(2.9))], [seen()], {}) == []
    assert judge([replace(asked, cancel_asked_at=ago(3.1))], [seen()], {}) == [Move(1, S.ACCEPTED, "the cancel had no effect")]


def test_an_ended_order_that_two_reads_show_working_works() -> None:
    canceled = replace(KNOWN, state=S.CANCELED)
    (back,) = judge([canceled], [seen()], {})
    assert isinstance(back, Move) and back.to is S.ACCEPTED
    assert judge([canceled], [replace(seen(), since=None)], {}) == [], "one word brings nothing back"
    assert judge([canceled], [seen("B1", Word.CANCELLED)], {}) == []
    (partly,) = judge([replace(canceled, state=S.REJECTED, filled_units=1)], [seen()], {})
    assert isinstance(partly, Move) and partly.to is S.PARTIALLY_FILLED


@examples(200)
@given(st.lists(st.tuples(st.sampled_from("AB"), st.integers(1, 9), st.integers(1, 99).map(Decimal)), max_size=9), st.randoms())
def test_trades_are_summed_whatever_their_order(rows: list[tuple[str, int, Decimal]], chance: object) -> None:
    shuffled = list(rows)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    found = sum_trades(rows)
    assert found == sum_trades(shuffled)
    assert sum(t.units for t in found.values()) == sum(units for _, units, _ in rows)
    assert sum((t.value for t in found.values()), Decimal(0)) == sum((units * price for _, units, price in rows), Decimal(0))

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from accounts.gateway.reports import Word
from tests.properties.profile import examples
from tests.properties.test_reconcile_proves_or_stands_still import KNOWN, S, ago, judge, seen, worlds
from trading.domain.reconcile import Move, OurOrder, SeenOrder, Strange, TradedSum


@pytest.mark.parametrize("state", [S.CANCELED, S.REJECTED])
def test_a_word_that_nobody_knows_brings_nothing_back_and_is_told_once(state: S) -> None:
    ended = replace(KNOWN, state=state)
    closed = seen("B1", Word.UNKNOWN, raw_status="closed")
    assert judge([ended], [closed], {}) == [Strange(1, "closed", works=False)]
    assert judge([replace(ended, strange_word="closed")], [closed], {}) == []
    assert judge([replace(ended, strange_word="closed")], [seen("B1", Word.UNKNOWN, raw_status="killed")], {}) == [
        Strange(1, "killed", works=False)
    ]
    assert judge([ended], [seen("B1", Word.UNKNOWN, raw_status="")], {}) == [Strange(1, "(blank)", works=False)]


@pytest.mark.parametrize("state", [S.ACCEPTED, S.PARTIALLY_FILLED, S.UNKNOWN, S.LAPSED, S.PENDING_CANCEL])
def test_what_lives_may_be_working_under_a_word_that_nobody_knows(state: S) -> None:
    order = replace(KNOWN, state=state, filled_units=0, cancel_asked_at=ago(9), sent_at=ago(60))
    as_working = judge([order], [seen()], {})
    closed = judge([order], [seen("B1", Word.UNKNOWN, raw_status="closed")], {})
    assert closed == [Strange(1, "closed", works=True), *as_working]


@examples(300)
@given(worlds())
def test_an_ended_order_moves_only_by_trades_or_by_a_word_that_says_it_works(
    world: tuple[list[OurOrder], list[SeenOrder], dict[str, TradedSum]],
) -> None:
    mine, book, trades = world
    words = {s.row.broker_order_id: s.row.word for s in book}
    by_id = {o.order_id: o for o in mine}
    for change in judge(mine, book, trades):
        order = by_id[change.order_id]
        if isinstance(change, Move) and order.state in (S.CANCELED, S.REJECTED) and change.to is not S.FILLED:
            assert words.get(order.broker_order_id) in (Word.WORKING, Word.TRIGGER_PENDING) or order.broker_order_id in trades

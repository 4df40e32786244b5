from __future__ import annotations

import pytest

from algomirror.kernel.errors import IllegalMove
from trading.domain.orders import FINAL, LIVE_STATES, MOVES, UNACKNOWLEDGED, WORKING, OrderState, check_move, is_late_truth

S = OrderState
# As the product's rulings have them, by hand. An end that was believed and was none is ruled besides: docs/DECISIONS.md.
RULED = {
    "INITIALIZED": "DENIED SUBMITTED",
    "SUBMITTED": "ACCEPTED PARTIALLY_FILLED FILLED REJECTED CANCELED UNKNOWN QUEUED INITIALIZED",
    "UNKNOWN": "ACCEPTED PARTIALLY_FILLED FILLED REJECTED CANCELED LAPSED",
    "ACCEPTED": "PARTIALLY_FILLED FILLED PENDING_CANCEL CANCELED REJECTED",
    "PARTIALLY_FILLED": "PARTIALLY_FILLED FILLED PENDING_CANCEL CANCELED",
    "PENDING_CANCEL": "PENDING_CANCEL ACCEPTED PARTIALLY_FILLED FILLED CANCELED REJECTED",
    "CANCELED": "ACCEPTED PARTIALLY_FILLED FILLED",
    "REJECTED": "ACCEPTED PARTIALLY_FILLED FILLED",
    "LAPSED": "ACCEPTED PARTIALLY_FILLED FILLED PENDING_CANCEL CANCELED REJECTED",
    "QUEUED": "ACCEPTED PARTIALLY_FILLED FILLED REJECTED CANCELED UNKNOWN",
    "DENIED": "",
    "FILLED": "",
}


@pytest.mark.parametrize("old", S)
@pytest.mark.parametrize("new", S)
def test_every_pair_is_either_ruled_or_raises(old: S, new: S) -> None:
    if old == new or new.value in RULED[old.value].split():
        check_move(old, new)
    else:
        with pytest.raises(IllegalMove):
            check_move(old, new)


def test_every_state_is_in_the_table_and_in_one_group() -> None:
    assert set(MOVES) == set(S)
    assert not FINAL & LIVE_STATES
    assert FINAL | LIVE_STATES | {S.INITIALIZED} == set(S)
    assert not UNACKNOWLEDGED & WORKING


def test_only_a_proof_that_nothing_was_sent_leads_back_to_the_start() -> None:
    assert {old for old in S if S.INITIALIZED in MOVES[old]} == {S.SUBMITTED}


def test_only_a_doubt_lapses() -> None:
    assert {old for old in S if S.LAPSED in MOVES[old]} == {S.UNKNOWN}


@pytest.mark.parametrize("old", sorted(FINAL))
def test_whatever_leaves_a_final_state_is_a_late_truth(old: S) -> None:
    assert all(is_late_truth(old, new) for new in MOVES[old])


@pytest.mark.parametrize("old", sorted(LIVE_STATES | {S.INITIALIZED}))
def test_nothing_else_is_late(old: S) -> None:
    assert not any(is_late_truth(old, new) for new in MOVES[old])

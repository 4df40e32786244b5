"""Closing by hand asks for the one exit goal, once per click."""

from __future__ import annotations

from typing import Any

import pytest

from algomirror.kernel.errors import Refused
from algomirror.ops.models import Journal
from tests import cast, page_rules
from trading.models import ExitGoal, Position
from trading.services import byhand


@pytest.fixture
def held() -> Position:
    return cast.position(cast.book(cast.account(), cast.run()))


def press(target: str, key: str = "k1", **more: Any) -> Any:
    return cast.signed_in(cast.alice()).post(
        "/positions/close", {"target": target, "idempotency_key": key, **more}, headers={"HX-Request": "true"}
    )


def test_closing_a_position_asks_for_that_instrument_only(held: Position) -> None:
    answer = press(f"position:{held.pk}")
    goal = ExitGoal.objects.get()
    assert goal.targets == {f"NFO:{cast.CALL}:NRML": 0}
    assert (goal.reason, goal.asked_by, goal.book_id) == ("MANUAL", "user:alice", held.book_id)
    assert "exit asked" in page_rules.text_of(answer)


def test_closing_a_book_asks_for_all_of_it(held: Position) -> None:
    press(f"book:{held.book_id}")
    goal = ExitGoal.objects.get()
    held.book.refresh_from_db()
    assert (goal.targets, held.book.state) == (None, "EXITING")


def test_the_same_click_twice_shows_the_first_outcome_even_after_it_is_done(held: Position) -> None:
    press(f"position:{held.pk}", key="once")
    ExitGoal.objects.update(state="DONE")
    answer = press(f"position:{held.pk}", key="once")
    assert ExitGoal.objects.count() == 1
    assert "asked before" in page_rules.text_of(answer)
    assert Journal.objects.filter(kind=byhand.ASKED).count() == 1


def test_another_click_while_the_goal_is_open_makes_no_second_goal(held: Position) -> None:
    press(f"position:{held.pk}", key="one")
    press(f"book:{held.book_id}", key="two")
    assert ExitGoal.objects.get().targets is None


def test_nothing_open_is_said_and_makes_no_goal() -> None:
    empty = cast.book(cast.account(), cast.run())
    assert "nothing to close" in page_rules.text_of(press(f"book:{empty.pk}"))
    assert not ExitGoal.objects.exists()


def test_a_hedge_with_an_open_short_is_refused_by_name(held: Position) -> None:
    hedge = cast.position(held.book, symbol=cast.HEDGE_CALL, leg=2, action="BUY", purpose="HEDGE", hedge_legs=[1], price="20.00")
    with pytest.raises(Refused, match=cast.CALL):
        byhand.close_position(hedge.pk, by="user:alice", key="k")
    answer = press(f"position:{hedge.pk}")
    assert answer.status_code == 422
    assert not ExitGoal.objects.exists()


def test_a_frozen_book_says_that_nothing_is_sent_yet(held: Position) -> None:
    from trading.services import apply

    apply.freeze(held.book_id, kind="AMBIGUOUS", why="two broker orders fit")
    shown = page_rules.text_of(press(f"book:{held.book_id}"))
    assert "frozen" in shown
    assert "two broker orders fit" in shown


@pytest.mark.parametrize("target", ["", "position:", "book:x", "position:0", "run:1", "book:1;drop", "position:" + "9" * 30])
def test_a_target_that_is_not_understood_is_refused(target: str) -> None:
    assert press(target).status_code == 422


def test_a_click_without_a_key_is_refused(held: Position) -> None:
    answer = cast.signed_in(cast.alice()).post("/positions/close", {"target": f"book:{held.book_id}"})
    assert answer.status_code == 422
    assert not ExitGoal.objects.exists()


def test_the_page_without_scripts_names_what_will_be_closed(held: Position) -> None:
    answer = cast.signed_in(cast.alice()).get("/positions/close", {"target": f"position:{held.pk}"})
    shown = page_rules.text_of(answer)
    assert f"Buys back 65 {cast.CALL} NRML of Iron condor in Zerodha Anil (PAPER)." in shown
    assert page_rules.inline_parts(answer) == []
    whole = cast.signed_in(cast.alice()).get("/positions/close", {"target": f"book:{held.book_id}"})
    assert "Closes the open leg of Iron condor in Zerodha Anil (PAPER), shorts first" in page_rules.text_of(whole)


@pytest.mark.parametrize("target", ["", "position:77", "book:77", "x"])
def test_the_page_of_nothing_is_not_found(target: str) -> None:
    assert cast.signed_in(cast.alice()).get("/positions/close", {"target": target}).status_code == 404

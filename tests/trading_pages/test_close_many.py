"""Closing a part, a leg, an account, everything: each book one goal, once per click."""

from __future__ import annotations

from typing import Any

import pytest

from algomirror.kernel.errors import Refused
from tests import cast, page_rules
from trading.models import Book, ExitGoal, Position
from trading.services import byhand


def press(target: str, key: str = "k1", **more: Any) -> Any:
    data = {"target": target, "idempotency_key": key, **more}
    return cast.signed_in(cast.alice()).post("/positions/close", data, headers={"HX-Request": "true"})


@pytest.fixture
def books() -> list[Book]:
    """One run in two accounts, and a ticket book in the first."""
    anil, uma, run = cast.account(), cast.account("Upstox Uma"), cast.run()
    made = [cast.book(anil, run), cast.book(uma, run), cast.book(anil)]
    for book in made:
        cast.position(book, units=2 * cast.LOT)
    return made


def goals() -> dict[int, Any]:
    return dict(ExitGoal.objects.values_list("book_id", "targets"))


def test_a_part_of_a_position_leaves_the_rest(books: list[Book]) -> None:
    position = Position.objects.get(book=books[0])
    press(f"position:{position.pk}", units=cast.LOT)
    assert goals() == {books[0].pk: {f"NFO:{cast.CALL}:NRML": cast.LOT}}


@pytest.mark.parametrize("units", [-65, 0, 64, 195])
def test_a_part_is_whole_lots_of_what_is_held(books: list[Book], units: int) -> None:
    position = Position.objects.get(book=books[0])
    assert press(f"position:{position.pk}", units=units).status_code == 422
    with pytest.raises(Refused):
        byhand.close_position(position.pk, by="user:alice", key="k", units=units)
    assert goals() == {}


def test_a_leg_is_closed_in_every_account_of_its_run(books: list[Book]) -> None:
    run = books[0].run_id
    press(f"leg:{run}:1")
    press(f"leg:{run}:1")
    assert set(goals()) == {books[0].pk, books[1].pk}
    assert goals()[books[0].pk] == {f"NFO:{cast.CALL}:NRML": 0}


def test_an_account_is_closed_with_all_its_books(books: list[Book]) -> None:
    answer = press(f"account:{books[0].account_id}")
    assert goals() == {books[0].pk: None, books[2].pk: None}
    assert page_rules.text_of(answer).count("Zerodha Anil") == 2
    press(f"account:{books[0].account_id}")
    assert ExitGoal.objects.count() == 2


def test_everything_is_everything_of_ours(books: list[Book]) -> None:
    press("everything")
    assert set(goals()) == {book.pk for book in books}


def test_nothing_to_close_is_said(books: list[Book]) -> None:
    empty = cast.account("Dhan Dev")
    assert "nothing to close" in page_rules.text_of(press(f"account:{empty.pk}")).lower()
    assert goals() == {}


def test_the_page_offers_account_and_everything_in_two_steps(books: list[Book]) -> None:
    html = cast.signed_in(cast.alice()).get("/positions").content.decode()
    assert f"/positions/close?target=account:{books[0].account_id}" in html
    # One book alone is closed by its own button.
    assert f"/positions/close?target=account:{books[1].account_id}" not in html
    assert "/positions/close?target=everything" in html and 'id="close-MANY"' in html


@pytest.mark.parametrize("which", ["account", "leg", "everything"])
def test_the_page_without_scripts_names_what_will_be_closed(books: list[Book], which: str) -> None:
    target = {"account": f"account:{books[0].account_id}", "leg": f"leg:{books[0].run_id}:1", "everything": "everything"}[which]
    answer = cast.signed_in(cast.alice()).get("/positions/close", {"target": target})
    text = page_rules.text_of(answer)
    assert answer.status_code == 200 and "Zerodha Anil (PAPER)" in text
    assert ("Upstox Uma (PAPER)" in text) == (which != "account")


@pytest.mark.parametrize("target", ["leg:1", "leg:0:1", "account:", "everything:1", "leg:1:1:1", "leg:1:9999", "run:1"])
def test_a_target_that_is_not_understood_is_refused(target: str) -> None:
    assert press(target).status_code == 422
    assert cast.signed_in(cast.alice()).get("/positions/close", {"target": target}).status_code == 404

"""Fifty accounts of one run have news within a second; the run is settled for all of them at once."""

from __future__ import annotations

from threading import Event
from typing import Any

import pytest
from django.test import override_settings

from tests.patience import PATIENCE_S, wait_for
from tests.trading import hooks
from trading.services import wake

pytestmark = pytest.mark.django_db(transaction=True)

may_go_on = Event()
told: list[list[int]] = []


def slowly(book_ids: Any) -> None:
    told.append(list(book_ids))
    if len(told) == 1:
        may_go_on.wait(PATIENCE_S)
    if 13 in book_ids:
        raise RuntimeError("this one cannot be settled")


@pytest.fixture(autouse=True)
def _a_slow_room_above() -> Any:
    told.clear()
    may_go_on.clear()
    with override_settings(HOOKS={**hooks.NAMES, "books_changed": f"{__name__}.slowly"}):
        yield


def test_what_comes_while_news_is_told_is_told_once_after_it() -> None:
    with wake.heralded():
        wake.book_changed(1)
        wait_for(lambda: told, "the first news to be told")
        for _ in range(3):
            for book in (2, 3, 4):
                wake.book_changed(book)
        assert told == [[1]], "nobody who has news waits for whoever hears it"
        may_go_on.set()
    assert told == [[1], [2, 3, 4]], "all of it is told when the herald ends"


def test_news_that_cannot_be_told_stops_no_other() -> None:
    may_go_on.set()
    with wake.heralded():
        wake.book_changed(13)
        wait_for(lambda: told, "it to fail")
        wake.book_changed(5)
    assert told == [[13], [5]]


def test_without_a_herald_news_is_told_by_whoever_has_it() -> None:
    may_go_on.set()
    wake.book_changed(6)
    assert told == [[6]]

from __future__ import annotations

import pytest

from algomirror.frame.templatetags import states
from tests.ui import stage


def test_only_filled_orders_are_green() -> None:
    green = {state for state, badge in states._ORDERS.items() if badge.look == "done"}
    assert green == {"FILLED"}


@pytest.mark.parametrize("state", ["UNKNOWN", "LAPSED", "REJECTED", "DENIED"])
def test_doubt_and_refusal_look_different_from_waiting(state: str) -> None:
    assert states.badge(state).look in {"doubt", "bad"}


def test_an_unknown_order_says_that_it_is_being_checked() -> None:
    assert "unknown, checking" in stage.render("frame/_state.html", {"state": "UNKNOWN"})


def test_a_part_fill_shows_how_much() -> None:
    assert "part filled 65/130" in stage.render("frame/_state.html", {"state": "PARTIALLY_FILLED", "filled": 65, "units": 130})


def test_a_state_without_a_word_is_shown_as_it_is_and_in_doubt() -> None:
    assert states.badge("BRAND_NEW") == states.Badge("brand new", "doubt")


@pytest.mark.parametrize("mode", [None, "", "SIM"])
def test_an_account_whose_mode_is_not_known_is_neither_paper_nor_live(mode: str | None) -> None:
    shown = stage.render("frame/_paper.html", {"mode": mode})
    assert "PAPER" not in shown
    assert "LIVE" not in shown

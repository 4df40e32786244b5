"""The rules of changing an order and sending it to the market, each taken away on purpose."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from accounts.gateway import parse
from accounts.gateway.reports import Word
from algomirror.kernel import clock
from tests.mutants.rules import Mutant, the_remainder_is_what_we_know
from tests.trading import test_a_cancelled_entry_stays_cancelled as cancelled
from tests.trading import test_a_word_that_nobody_knows as words
from tests.trading import test_an_order_goes_to_the_market as market
from tests.trading import test_an_order_is_modified as modified
from tests.trading import test_what_was_held_for_ended_and_works_is_cancelled as revived
from trading.domain import exits
from trading.domain.changes import Terms
from trading.domain.orders import UNACKNOWLEDGED
from trading.models import Order, Position
from trading.services import cancel, enter, flatten, modify, rest, submit, terms

Patch = pytest.MonkeyPatch


def success_means_applied(patch: Patch) -> None:
    honest = terms.answer

    def trusting(order_id: int, *, text: str = "") -> None:
        honest(order_id, text=text)
        order = Order.objects.get(pk=order_id)
        if not text and order.asked_price is not None and order.asked_units is not None:
            Order.objects.filter(pk=order_id).update(change_state="DONE", price=order.asked_price, units=order.asked_units)

    patch.setattr(terms, "answer", trusting)


def more_units_need_no_gate(patch: Patch) -> None:
    patch.setattr(modify.hooks, "call", lambda name, *args, **options: None)


def between_two_attempts_is_nothing(patch: Patch) -> None:
    def anything(book_id: int) -> bool:
        held = Position.objects.filter(book_id=book_id).exclude(units=0).exists()
        return held or Order.objects.filter(book_id=book_id, state__in=rest.MAY_FILL).exists()

    patch.setattr(flatten, "_anything_to_close", anything)


def the_quantity_is_the_rest(patch: Patch) -> None:
    """A modify that raises: what is left is asked beside what has filled."""
    honest = submit.ticket_of

    def adding(order: Order, asked: Terms | None = None) -> Any:
        ticket = honest(order, asked)
        return ticket if asked is None else replace(ticket, units=asked.units + order.filled_units)

    patch.setattr(submit, "ticket_of", adding)


def all_of_it_goes_out(patch: Patch) -> None:
    patch.setattr(Order, "remaining_units", property(lambda self: self.units))


def asked_is_cancelled(patch: Patch) -> None:
    honest = cancel.request

    def hasty(order_id: int, **options: Any) -> bool:
        done = honest(order_id, **options)
        if options.get("to_market"):
            Order.objects.filter(pk=order_id).update(state="CANCELED", finished_at=clock.now())
        return done

    patch.setattr(cancel, "request", hasty)


def what_follows_has_failed(patch: Patch) -> None:
    honest = enter.hedge_failed
    patch.setattr(enter, "hedge_failed", lambda orders, waiting: honest(orders))


def anything_may_be_changed(patch: Patch) -> None:
    patch.setattr(modify, "why_not_modify", lambda order, book_state: "")


def _denied(desk: Any) -> None:
    try:
        modified.test_more_of_it_or_another_price_pass_the_gate_and_less_does_not(desk)
    except pytest.fail.Exception as failed:
        raise AssertionError from failed


def _left_alone(desk: Any) -> None:
    try:
        modified.test_what_the_engine_pegs_itself_is_left_to_it(desk)
    except pytest.fail.Exception as failed:
        raise AssertionError from failed


def doubt_stops_everything(patch: Patch) -> None:
    honest = exits._call_back

    def waits(position: Any, left: int, orders: Any, cancelling: Any) -> Any:
        return [] if any(o.state in UNACKNOWLEDGED for o in orders) else honest(position, left, orders, cancelling)

    patch.setattr(exits, "_call_back", waits)


def what_is_not_known_works(patch: Patch) -> None:
    honest = parse.word_of
    patch.setattr(parse, "word_of", lambda raw: Word.WORKING if honest(raw) is Word.UNKNOWN else honest(raw))


MUTANTS = [
    Mutant(
        "success of a modify does not mean applied",
        success_means_applied,
        [lambda d: modified.test_what_the_book_does_not_show_leaves_the_order_as_it_was(d, "modify_ignored", "UNSURE")],
    ),
    Mutant(
        "more units pass the gate",
        more_units_need_no_gate,
        [_denied],
    ),
    Mutant(
        "a modify asks the total",
        the_quantity_is_the_rest,
        [modified.test_the_quantity_on_the_wire_is_the_total_not_what_is_left],
        "live",
    ),
    Mutant("what filled is not sent again", all_of_it_goes_out, [market.test_a_part_that_filled_is_not_sent_again], "live"),
    Mutant(
        "to the market only once the cancel is confirmed",
        asked_is_cancelled,
        [market.test_nothing_goes_out_before_the_books_prove_the_end],
        "live",
    ),
    Mutant(
        "to the market only what the position confirms",
        the_remainder_is_what_we_know,
        [market.test_nothing_goes_out_before_the_position_agrees_and_a_person_hears_of_it],
        "live",
    ),
    Mutant(
        "a hedge on its way to a new price has not failed",
        what_follows_has_failed,
        [market.test_a_hedge_that_rests_goes_to_the_market_and_lets_its_short_through],
        "live",
    ),
    Mutant("what the engine pegs is left to it", anything_may_be_changed, [_left_alone]),
    Mutant(
        "an exit between two attempts forbids the next",
        between_two_attempts_is_nothing,
        [cancelled.test_an_exit_between_two_attempts_forbids_the_next],
    ),
    Mutant(
        "what exceeds is called back though another is in doubt",
        doubt_stops_everything,
        [revived.test_an_exit_that_works_on_is_cancelled_before_its_successor_is_acknowledged],
        "live",
    ),
    Mutant(
        "an unknown word brings nothing back",
        what_is_not_known_works,
        [words.test_a_cancelled_order_that_the_book_calls_closed_stays_cancelled],
        "live",
    ),
]

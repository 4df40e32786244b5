"""Each safety rule, taken away on purpose, and the scenarios that must notice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, models

from accounts.gateway import openalgo
from accounts.gateway.reports import Answer, Failed, OrderReply, Read, Verdict
from algomirror.kernel import clock
from tests.trading import test_a_cancelled_entry_stays_cancelled as cancelled
from tests.trading import test_a_goal_is_one_and_lasts_until_flat as goals
from tests.trading import test_a_hedge_stays_while_its_short_may_fill as hedge_stays
from tests.trading import test_a_lost_answer_is_resolved_by_evidence as lost
from tests.trading import test_absence_needs_whole_books as absence
from tests.trading import test_an_order_is_sent_once as once
from tests.trading import test_another_world_proves_nothing as world
from tests.trading import test_exits_only_reduce as reduce
from tests.trading import test_fills_are_cumulative as fills
from tests.trading import test_hedges_come_first_and_failures_unwind as hedges_first
from tests.trading import test_one_word_ends_no_order as words
from tests.trading.desk import Desk
from trading.domain import exits, plan
from trading.domain import reconcile as truth
from trading.domain.orders import ENTRIES, EXITS, OrderState
from trading.models import Book, Order
from trading.services import abreast, apply, cancel, differences, enter, evidence, flatten, glance, poll, submit, versions, work

Patch = pytest.MonkeyPatch
Scenario = Callable[[Desk], None]
S = OrderState


@dataclass(frozen=True)
class Mutant:
    rule: str
    remove: Callable[[Patch], None]
    caught_by: Sequence[Scenario]
    profile: str = "sandbox"


def without_the_row(patch: Patch) -> None:
    patch.setattr(submit, "_claim", lambda book, orders, fields, *, then: True)


def within_the_transaction(patch: Patch) -> None:
    from django.db import transaction

    wire = submit.wire

    def all_in_one(orders: Sequence[Order], sending: Any) -> Any:
        with transaction.atomic():
            return wire(orders, sending)

    patch.setattr(openalgo, "refuse_in_transaction", lambda: None)
    patch.setattr(abreast, "refuse_in_transaction", lambda: None)
    patch.setattr(submit, "wire", all_in_one)


def any_worker_may_claim(patch: Patch) -> None:
    def take(book: Book, orders: Sequence[Order], fields: dict[str, Any], *, then: Any) -> bool:
        return bool(Order.objects.filter(pk__in=[o.pk for o in orders]).update(state=S.SUBMITTED, **fields))

    patch.setattr(submit, "_claim", take)


def ambiguous_is_rejected(patch: Patch) -> None:
    honest = openalgo.classify

    def hasty(outcome: Any) -> OrderReply:
        reply = honest(outcome)
        return replace(reply, verdict=Verdict.REFUSED, text="failed") if reply.verdict is Verdict.UNKNOWN else reply

    patch.setattr(openalgo, "classify", hasty)


def a_failed_read_is_an_empty_one(patch: Patch) -> None:
    honest = poll._of_this_world

    def hopeful(row: Any, answer: Answer[Any]) -> Answer[Any]:
        answer = honest(row, answer)
        return Read([], clock.now(), clock.now(), row.mode) if isinstance(answer, Failed) else answer

    patch.setattr(poll, "_of_this_world", hopeful)


def another_world_counts(patch: Patch) -> None:
    patch.setattr(poll, "_of_this_world", lambda row, answer: answer)


def fills_are_added(patch: Patch) -> None:
    honest = apply.fill

    def adding(order: Order, broker_order_id: str, *, cumulative_units: int, cumulative_value: Any, **options: Any) -> bool:
        return honest(
            order,
            broker_order_id,
            cumulative_units=order.filled_units + cumulative_units,
            cumulative_value=order.filled_value + cumulative_value,
            **options,
        )

    patch.setattr(apply, "fill", adding)
    honest_reconcile = truth.reconcile

    def again(ours: Any, **reads: Any) -> list[truth.Change]:
        """Every trade is news, however often it was read."""
        found = list(honest_reconcile(ours, **reads))
        known = {c.order_id for c in found if isinstance(c, truth.Traded)}
        for order in ours:
            traded = (reads["trades"] or {}).get(order.broker_order_id)
            if traded and order.order_id not in known:
                found.append(truth.Traded(order.order_id, order.broker_order_id, traded.units, traded.value))
        return found

    patch.setattr(truth, "reconcile", again)


def no_patience(patch: Patch) -> None:
    honest = poll.rules
    patch.setattr(poll, "rules", lambda: replace(honest(), lapse_reads=1, lapse_after=timedelta(0)))


def patience_from_the_start(patch: Patch) -> None:
    honest = poll._ours
    patch.setattr(poll, "_ours", lambda order: replace(honest(order), answered_at=None))


def lapsed_is_forgotten(patch: Patch) -> None:
    patch.setattr(poll, "WATCHED", [s for s in poll.WATCHED if s != "LAPSED"])


def lapsed_entries_are_sent_again(patch: Patch) -> None:
    honest = enter._repeggable

    def eager(book: Book, orders: list[Order]) -> list[Order]:
        lapsed = [o for o in orders if o.state == S.LAPSED and o.attempt == 0 and len(orders) == 1]
        return honest(book, orders) + lapsed

    send_again = enter._again

    def as_if_cancelled(book: Book, order: Order) -> None:
        Order.objects.filter(pk=order.pk, state=S.LAPSED).update(state=S.CANCELED, follows_price=True, finished_at=clock.now())
        send_again(book, order)

    patch.setattr(enter, "_repeggable", eager)
    patch.setattr(enter, "_again", as_if_cancelled)
    patch.setattr(evidence, "agrees", lambda account_id, instrument: True)
    patch.setattr(glance.Glance, "books_with_entries", property(lambda now: sorted(now.open_runs)))


def lapsed_exits_need_no_proof(patch: Patch) -> None:
    trusting = lambda account_id, book_id, instruments: {i: exits.Evidence(0, 0, True) for i in instruments}  # noqa: E731
    patch.setattr(evidence, "proofs", trusting)


def several_unacknowledged(patch: Patch) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX one_unacknowledged_order_per_side")
    patch.setattr(evidence, "_taken", lambda book: ())


def working_exits_do_not_count(patch: Patch) -> None:
    honest = exits.steps
    blind = lambda facts: replace(facts, orders=[o for o in facts.orders if o.purpose not in EXITS])  # noqa: E731
    patch.setattr(exits, "steps", lambda facts: honest(blind(facts)))
    patch.setattr(exits, "room", lambda facts, instrument: 10**6)


def the_version_is_not_claimed(patch: Patch) -> None:
    def claim(book: Book, states: Any = None) -> bool:
        versions.bump(book.pk)
        return True

    patch.setattr(versions, "claim", claim)


def entries_are_left_working(patch: Patch) -> None:
    honest = exits.steps
    blind = lambda facts: replace(facts, orders=[o for o in facts.orders if o.purpose not in ENTRIES])  # noqa: E731
    patch.setattr(exits, "steps", lambda facts: honest(blind(facts)))


def shorts_do_not_wait(patch: Patch) -> None:
    honest = plan.releasable
    patch.setattr(enter, "releasable", lambda orders: honest([replace(o, hedge_legs=()) for o in orders]))


def a_sent_hedge_is_a_filled_one(patch: Patch) -> None:
    honest = plan.releasable

    def hopeful(orders: list[plan.EntryView]) -> list[int]:
        return honest([replace(o, filled_units=o.units) if o.state is not S.INITIALIZED else o for o in orders])

    patch.setattr(enter, "releasable", hopeful)


def a_sold_hedge_still_covers(patch: Patch) -> None:
    patch.setattr(enter, "_views", lambda book_id, orders: [enter._view(o, o.filled_units) for o in orders])


def hedges_go_first(patch: Patch) -> None:
    patch.setattr(exits, "_kept", lambda position, uncovered, facts: 0)


def only_open_shorts_need_their_hedge(patch: Patch) -> None:
    honest = exits._uncovered_shorts
    patch.setattr(exits, "_uncovered_shorts", lambda facts: honest(replace(facts, orders=[])))


def what_the_broker_lacks_is_sold_all_the_same(patch: Patch) -> None:
    honest = evidence.proofs

    def trusting(account_id: int, book_id: int, instruments: Any) -> dict[exits.Instrument, exits.Evidence]:
        return {i: replace(found, missing=0) for i, found in honest(account_id, book_id, instruments).items()}

    patch.setattr(evidence, "proofs", trusting)


def one_word_is_enough(patch: Patch) -> None:
    patch.setattr(truth._Evidence, "confirmed", lambda self, seen: True)


def a_book_that_lost_rows_is_whole(patch: Patch) -> None:
    honest = truth.reconcile
    patch.setattr(truth, "reconcile", lambda ours, **reads: honest(ours, **{**reads, "orders_whole": True, "trades_whole": True}))


def a_likeness_is_enough(patch: Patch) -> None:
    patch.setattr(truth, "_may_report", lambda order, now, rules: False)


def the_remainder_is_what_we_know(patch: Patch) -> None:
    patch.setattr(evidence, "agrees", lambda account_id, instrument: True)


def any_cancel_is_answered_with_a_new_order(patch: Patch) -> None:
    honest = cancel.request
    patch.setattr(cancel, "request", lambda order_id, **options: honest(order_id, **{**options, "follow": True}))
    patch.setattr(enter, "_was_closed_since", lambda book, order: False)


def late_fills_stay_in_closed_books(patch: Patch) -> None:
    patch.setattr(work, "_catch_late_fills", lambda now: False)


def done_when_nothing_was_asked(patch: Patch) -> None:
    patch.setattr(exits, "steps", lambda facts: [exits.Done()])
    patch.setattr(flatten, "_finish", _finish_blindly)


def _finish_blindly(goal: Any, book: Book) -> bool:
    type(goal).objects.filter(pk=goal.pk).update(state="DONE", done_at=clock.now())
    Book.objects.filter(pk=book.pk).update(state=Book.State.FLAT, version=models.F("version") + 1)
    return True


def differences_are_nobodys_business(patch: Patch) -> None:
    patch.setattr(differences, "_reduce", lambda account, found: None)


MUTANTS = [
    Mutant("row before wire", without_the_row, [once.test_sending_twice_sends_once]),
    Mutant("commit before wire", within_the_transaction, [goals.test_ten_triggers_make_one_goal_and_one_order]),
    Mutant(
        "claim by compare-and-set",
        any_worker_may_claim,
        [lambda d: once.test_a_second_worker_finds_the_order_on_the_wire_and_leaves_it(d, 1)],
    ),
    Mutant(
        "ambiguous is not rejected",
        ambiguous_is_rejected,
        [lambda d: lost.test_an_exit_whose_answer_was_lost_is_found_and_not_sent_again(d, "timeout_after_accept")],
    ),
    Mutant(
        "a failed read changes nothing",
        a_failed_read_is_an_empty_one,
        [lambda d: absence.test_a_failed_read_changes_nothing(d, {"book": "positionbook"})],
    ),
    Mutant("another world proves nothing", another_world_counts, [world.test_its_books_change_nothing_and_halt_the_account]),
    Mutant(
        "cumulative maximum instead of addition", fills_are_added, [fills.test_reading_the_same_books_again_adds_nothing], "live"
    ),
    Mutant(
        "several complete misses before LAPSED",
        no_patience,
        [lost.test_patience_counts_from_the_end_of_the_waiting_not_from_its_start],
    ),
    Mutant(
        "patience counts from the end of the waiting",
        patience_from_the_start,
        [lost.test_patience_counts_from_the_end_of_the_waiting_not_from_its_start],
    ),
    Mutant(
        "lapsed may return",
        lapsed_is_forgotten,
        [lost.test_an_entry_that_shows_up_after_our_patience_is_owned_and_closed_only_by_asking],
    ),
    Mutant(
        "a lapsed entry is never sent again",
        lapsed_entries_are_sent_again,
        [lambda d: lost.test_an_entry_that_never_arrived_lapses_and_is_never_sent_again(d, "timeout_before_accept")],
    ),
    Mutant(
        "a lapsed exit needs position evidence",
        lapsed_exits_need_no_proof,
        [lost.test_with_a_second_owner_a_lapsed_exit_halts_the_account],
    ),
    Mutant(
        "one unacknowledged order per side",
        several_unacknowledged,
        [lost.test_while_one_order_of_a_side_is_in_doubt_no_other_is_sent],
    ),
    Mutant(
        "shortfall minus working exits",
        working_exits_do_not_count,
        [lambda d: words.test_an_exit_shown_as_ended_once_is_not_sent_again_beside_itself(d, "cancelled")],
    ),
    Mutant(
        "a decision claims the version it was read at",
        the_version_is_not_claimed,
        [once.test_what_happens_between_the_decision_and_the_claim_undoes_the_decision],
    ),
    Mutant(
        "cancel entries before exit",
        entries_are_left_working,
        [hedge_stays.test_the_hedge_is_not_sold_while_its_short_is_being_cancelled],
    ),
    Mutant("hedge gate", shorts_do_not_wait, [hedges_first.test_a_strangle_goes_in_behind_its_hedges], "live"),
    Mutant(
        "hedge gate by fills",
        a_sent_hedge_is_a_filled_one,
        [hedges_first.test_a_hedge_that_fills_in_part_lets_only_that_part_through],
        "live",
    ),
    Mutant(
        "a sold hedge covers nothing", a_sold_hedge_still_covers, [hedge_stays.test_a_hedge_closed_by_hand_covers_no_more_shorts]
    ),
    Mutant("hedges last by cover", hedges_go_first, [hedges_first.test_a_strangle_goes_in_behind_its_hedges], "live"),
    Mutant(
        "a hedge stays for a short that may fill",
        only_open_shorts_need_their_hedge,
        [hedge_stays.test_the_hedge_is_not_sold_while_its_short_is_being_cancelled],
    ),
    Mutant(
        "capped by what the broker holds",
        what_the_broker_lacks_is_sold_all_the_same,
        [reduce.test_nothing_is_sent_for_what_the_broker_squared_off],
    ),
    Mutant(
        "a final word is looked at twice",
        one_word_is_enough,
        [lambda d: words.test_an_exit_shown_as_ended_once_is_not_sent_again_beside_itself(d, "cancelled")],
    ),
    Mutant(
        "a book that lost rows proves no absence",
        a_book_that_lost_rows_is_whole,
        [lambda d: absence.test_an_exit_in_doubt_does_not_lapse_on_a_book_that_lost_rows(d, "books_empty")],
    ),
    Mutant(
        "a sender that may report is waited for",
        a_likeness_is_enough,
        [lost.test_a_sender_that_may_still_report_is_not_answered_by_guessing],
    ),
    Mutant(
        "the remainder is what the broker's net confirms",
        the_remainder_is_what_we_know,
        [words.test_trades_that_come_after_the_cancel_are_not_entered_again],
        "live",
    ),
    Mutant(
        "a person's cancel is final",
        any_cancel_is_answered_with_a_new_order,
        [cancelled.test_a_persons_cancel_is_not_answered_with_a_new_order],
    ),
    Mutant(
        "a late fill opens its book again",
        late_fills_stay_in_closed_books,
        [lost.test_an_entry_that_shows_up_after_our_patience_is_owned_and_closed_only_by_asking],
    ),
    Mutant("done only when flat", done_when_nothing_was_asked, [goals.test_a_part_is_closed_and_the_rest_goes_on]),
]

"""The rules by which a lost order is told from others that look like it, and for reads that come late, taken away."""

from __future__ import annotations

from accounts import reads
from tests.mutants.rules import Mutant, Patch
from tests.trading import test_a_lost_answer_is_resolved_by_evidence as lost
from tests.trading import test_reducing_has_an_owner as reducing
from trading.domain import placing


def the_youngest_takes_it(patch: Patch) -> None:
    patch.setattr(placing.BrokerClock, "could_be", lambda self, order, seen: True)


def late_reads_have_no_number(patch: Patch) -> None:
    patch.setattr(reads, "_late", lambda account, kind: 0)


def late_reads_are_the_newest(patch: Patch) -> None:
    honest = reads.store
    patch.setattr(reads, "store", lambda *read: honest(*read)._replace(is_newest=True))


MUTANTS = [
    Mutant(
        "no order was placed before it was sent", the_youngest_takes_it, [lost.test_two_lost_exits_that_are_alike_are_told_apart]
    ),
    Mutant(
        "what a late read shows came to light when it came",
        late_reads_have_no_number,
        [lost.test_an_order_that_a_read_from_before_it_was_sent_shows_is_not_given_to_another_book],
    ),
    Mutant(
        "an order that only a late read shows is looked for on",
        late_reads_have_no_number,
        [lost.test_an_order_that_a_read_from_before_it_was_sent_shows_is_found],
    ),
    Mutant(
        "positions from before the newest compare nothing",
        late_reads_are_the_newest,
        [reducing.test_a_read_from_before_the_difference_that_comes_late_opens_nothing_again],
    ),
]

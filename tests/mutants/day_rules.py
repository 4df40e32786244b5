"""The rules for a day that turns, a clock that is set and a server that is another one, taken away."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from algomirror.ops.steps import Steps
from tests.mutants.rules import Mutant, Patch
from tests.trading import test_another_world_on_the_same_day as another
from tests.trading import test_exits_fit_the_day as fit
from tests.trading import test_the_host_s_clock_is_moved as moved
from trading.services import evidence, mirror, poll


def slices_of_the_entry(patch: Patch) -> None:
    patch.setattr(evidence, "_as_of_today", lambda positions, terms: terms)


def what_was_read_stays(patch: Patch) -> None:
    patch.setattr(poll, "forget", lambda account_id: None)


def every_server_is_this_one(patch: Patch) -> None:
    patch.setattr(poll, "_of_this_server", lambda row, keep: keep)


def yesterdays_rows_are_missed(patch: Patch) -> None:
    honest = mirror.of

    def of(account_id: int, day: date) -> mirror.Mirror:
        found = honest(account_id, day)
        return replace(found, todays=found.known)

    patch.setattr(mirror, "of", of)


def patience_by_the_clock(patch: Patch) -> None:
    patch.setattr(Steps, "ahead_s", lambda self: 0.0)


MUTANTS = [
    Mutant(
        "an exit goes out in slices of today",
        slices_of_the_entry,
        [fit.test_an_exit_goes_out_in_slices_that_the_exchange_takes_today],
        "live",
    ),
    Mutant(
        "what was read of another server is forgotten",
        what_was_read_stays,
        [another.test_an_exit_follows_the_price_on_the_day_of_a_rehearsal],
    ),
    Mutant(
        "a read of the server that was left is dropped",
        every_server_is_this_one,
        [another.test_a_read_that_was_on_its_way_when_the_server_changed_is_dropped],
    ),
    Mutant(
        "what a book showed before nine is not missed",
        yesterdays_rows_are_missed,
        [lambda d: another.test_the_broker_turns_its_day_after_us(d, 20)],
        "live",
    ),
    Mutant(
        "patience is real seconds",
        patience_by_the_clock,
        [lambda d: moved.test_an_exit_in_doubt_is_not_doubled_when_the_clock_jumps_ahead(d, 120)],
        "live",
    ),
]

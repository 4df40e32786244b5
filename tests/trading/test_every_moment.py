"""At each moment between two transactions of an entry and of an exit the process dies, or another worker comes first.

The normal suite looks at some of the moments, the soak (AM_SOAK=1) at all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from django.db import transaction

from tests.properties.profile import SOAK
from tests.trading import truth
from tests.trading.desk import LOT, Desk, a_desk
from tests.trading.points import Crash, die
from trading.models import Book

STRIDE = 1 if SOAK else 15
PASSES = 3


@contextmanager
def _a_fresh_desk(profile: str) -> Iterator[Desk]:
    example = transaction.atomic()
    example._from_testcase = True  # type: ignore[attr-defined]
    with example:
        with a_desk(profile) as desk:
            desk.poll()
            yield desk
        transaction.set_rollback(True)


def _prepare(desk: Desk, phase: str) -> Book:
    book = desk.open(
        desk.line(1, "BUY", "CEW", purpose="HEDGE", hedge_legs=(2,)),
        desk.line(2, "SELL", "CE", hedge_legs=(1,)),
    )
    if phase == "exit":
        desk.run_until(lambda: desk.owned(book, "CE") == -LOT)
        desk.exit(book)
        desk.advance(0.5)
    return book


def _moments(profile: str, phase: str) -> int:
    with _a_fresh_desk(profile) as desk:
        _prepare(desk, phase)
        with desk.side.points.watch() as points:
            _work(desk)
        return points.seen


def _work(desk: Desk) -> None:
    for _ in range(PASSES):
        desk.step()
        desk.advance(0.5)


def _loses_an_answer(desk: Desk) -> None:
    """Another reads the books later than this one asked for them, sends, and waits in vain."""
    desk.side.advance(0.6)
    desk.poll()
    desk.fault("timeout_after_accept", endpoint="placeorder")
    desk.step()


ACTS: dict[str, Callable[[Desk], object]] = {
    "it dies": lambda desk: die(),
    "another comes first": Desk.step,
    "another comes first and loses an answer": _loses_an_answer,
}


@pytest.mark.django_db
@pytest.mark.timeout(0 if SOAK else 800)
@pytest.mark.parametrize("profile", ["sandbox", "live"])
@pytest.mark.parametrize("phase", ["entry", "exit"])
@pytest.mark.parametrize("what", list(ACTS))
def test_at_each_moment(profile: str, phase: str, what: str) -> None:
    start = len(profile + phase + what) % STRIDE
    for at in range(start, _moments(profile, phase), STRIDE):
        with _a_fresh_desk(profile) as desk:
            book = _prepare(desk, phase)
            try:
                with desk.side.points.watch(partial(ACTS[what], desk), at=at) as points:
                    _work(desk)
            except Crash:
                pass
            where = f"at moment {at}: {points.names[at] if at < len(points.names) else 'none'}"
            assert truth.lies(desk) == [], where
            desk.settle(seconds=40, dt=1.0)
            desk.exit(book)
            assert desk.settle(seconds=60), where
            assert truth.lies(desk) + truth.unsettled(desk) == [], where
            assert desk.state(book) == Book.State.FLAT, where
            assert (desk.net("CE"), desk.net("CEW")) == (0, 0), where

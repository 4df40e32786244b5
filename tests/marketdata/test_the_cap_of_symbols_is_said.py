from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import override_settings

from algomirror.ops.models import Alarm
from marketdata.feed.desk import Desk
from marketdata.feed.logbook import Logbook, Seen
from marketdata.feed.wanted import Wanted
from tests.marketdata.cast import owner

NIFTY = "NSE_INDEX:NIFTY"


@pytest.fixture
def desk(db: None) -> Iterator[Desk]:
    desk = Desk(lambda: False)
    with override_settings(FEED_SYMBOL_CAP=4):
        yield desk
    desk.stop()


def test_beyond_the_cap_viewers_give_way_the_page_counts_them_and_one_alarm_rings(desk: Desk) -> None:
    crowd = frozenset(f"NFO:V{n}" for n in range(5))
    desk.want(Wanted(open=frozenset({"NFO:HELD"}), indices=frozenset({NIFTY}), viewed=(("chain:X", crowd),)))
    figures = desk.figures()
    assert (figures["wanted"], figures["open"], figures["left_out"]) == (4, 1, 3)
    assert {key for _, keys in desk.store.viewed for key in keys} == crowd, "a price by REST is shown all the same"
    book, quiet = Logbook(owner().pk), Seen(True, 0.0, None, False)
    for left_out in (3, 3, 0):
        book.look(None, Seen(True, 0.0, None, False, left_out))
    assert Alarm.objects.get(kind="FEED_CAP").seen_times == 1
    book.look(None, Seen(True, 0.0, None, False, 1))
    book.look(None, quiet)
    alarm = Alarm.objects.get(kind="FEED_CAP")
    assert alarm.seen_times == 2 and "1 viewed symbols are beyond the cap of 4" in alarm.text

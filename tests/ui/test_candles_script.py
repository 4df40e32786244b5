"""The pure parts of the chart's code, in the browser."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.ui.test_scripts import run

pytestmark = pytest.mark.browser

IST = 19_800
CANDLE = {"t": 1000, "o": "10.05", "h": "12", "l": "-1.50", "c": "11"}


def test_a_candle_is_drawn_in_indian_time(page: Page) -> None:
    assert run(page, "candles", "m.bar(given)", CANDLE) == {
        "time": 1000 + IST,
        "open": 10.05,
        "high": 12,
        "low": -1.5,
        "close": 11,
    }


def test_what_is_not_known_yet_is_a_hole_in_the_line(page: Page) -> None:
    drawn = run(page, "candles", "m.line(given, [null, '2.5'])", [{"t": 0}, {"t": 60}])
    assert drawn == [{"time": IST}, {"time": 60 + IST, "value": 2.5}]
    trends = [None, {"v": "1", "up": True}]
    turned = run(page, "candles", "m.turns(given[0], given[1], 'green', 'red')", [[{"t": 0}, {"t": 60}], trends])
    assert turned == [{"time": IST}, {"time": 60 + IST, "value": 1, "color": "green"}]


@pytest.mark.parametrize(("seconds", "slot"), [(1000, 1000), (1299, 1000), (1300, 1300), (999, None), (1000 + 5 * 3600, None)])
def test_a_tick_belongs_to_the_slot_counted_from_the_last_candle(page: Page, seconds: int, slot: int | None) -> None:
    assert run(page, "candles", "m.slotOf(1000, given, 300)", seconds) == slot


def test_the_stream_widens_the_last_candle_and_never_narrows_it(page: Page) -> None:
    given: dict[str, Any] = {
        "known": {"time": 1, "open": 5, "high": 9, "low": 4, "close": 6},
        "forming": {"time": 1, "open": 5, "high": 8, "low": 3, "close": 7},
    }
    assert run(page, "candles", "m.merged(given.known, given.forming)", given) == {
        "time": 1,
        "open": 5,
        "high": 9,
        "low": 3,
        "close": 7,
    }
    assert run(page, "candles", "m.merged(given.known, {...given.forming, time: 2})", given) == given["known"]

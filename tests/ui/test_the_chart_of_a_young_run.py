"""The P&L chart before its first minute: right times where there are two moments, and otherwise words instead of axes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

TEN = 1_795_149_000  # 20 November 2026, 10:00:00 IST
LINES = [{"label": "Max loss", "value": "-5000.00", "kind": "loss"}]


def _drawn(page: Page, t: list[int], pnl: list[str | None]) -> None:
    series: dict[str, Any] = {
        "t": t,
        "pnl": pnl,
        "lines": LINES if t else [],
        "marks": [{"t": at, "label": "First fill"} for at in t[:1]],
    }
    page.route("**/pnl.json", lambda route: route.fulfill(body=json.dumps(series), content_type="application/json"))
    page.goto("/gallery")
    page.wait_for_function("document.querySelector('[data-chart-note]').textContent !== 'Reading the chart.'")
    page.wait_for_timeout(200)


def _times(page: Page) -> list[str]:
    found: list[str] = page.evaluate("document.querySelector('[data-chart=pnl]').plot?.axes[0]._values ?? []")
    return found


@pytest.mark.parametrize("t", [[], [TEN], [TEN, TEN]])
def test_before_the_second_moment_there_are_words_and_no_axes(page: Page, t: list[int]) -> None:
    _drawn(page, t, [None if n == 0 else "12.00" for n, _ in enumerate(t)])
    measured = "Last measured P&L ₹12.00." if len(t) > 1 else "No P&L has been measured yet."
    expect(page.locator("[data-chart-note]")).to_have_text(f"{measured} The line begins with the second measurement.")
    expect(page.locator("[data-chart=pnl]")).to_be_hidden()
    assert page.locator("[data-chart=pnl] canvas").count() == 0


def test_a_run_of_seconds_has_seconds_on_its_axis(page: Page) -> None:
    _drawn(page, [TEN, TEN + 3], [None, "12.00"])
    times = _times(page)
    assert times == ["10:00:00", "10:00:01", "10:00:02", "10:00:03"]


def test_the_axis_comes_when_the_second_moment_does(page: Page) -> None:
    _drawn(page, [TEN], [None])
    page.unroute("**/pnl.json")
    series = {"t": [TEN, TEN + 120], "pnl": [None, "12.00"], "lines": LINES, "marks": []}
    page.route("**/pnl.json", lambda route: route.fulfill(body=json.dumps(series), content_type="application/json"))
    page.evaluate("document.dispatchEvent(new Event('am:theme'))")
    page.wait_for_selector(".chart canvas")
    expect(page.locator("[data-chart-note]")).to_have_text("Last measured P&L ₹12.00.")
    assert page.locator("[data-chart=pnl]").bounding_box()["width"] > 200  # type: ignore[index]
    times = _times(page)
    assert times == sorted(set(times)) and {"10:00:00", "10:01:00"} <= set(times)


def test_a_run_of_hours_has_minutes_on_its_axis(page: Page) -> None:
    _drawn(page, [TEN, TEN + 3600, TEN + 7200], ["1.00", None, "12.00"])
    times = _times(page)
    assert times == sorted(set(times)) and {"10:00", "11:00", "12:00"} <= set(times)


def test_a_run_of_days_does_not_crowd_its_axis(page: Page) -> None:
    _drawn(page, [TEN, TEN + 5 * 86_400], ["1.00", "12.00"])
    assert 3 <= len(_times(page)) <= 24

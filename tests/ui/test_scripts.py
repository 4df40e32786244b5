"""The pure parts of the browser code, run in the browser that will run them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Page

from algomirror.frame.templatetags import numbers

pytestmark = pytest.mark.browser

MONEY = ["0", "-0.004", "0.005", "999.995", "1234567.5", "-1250", "99999999.994", "12", "-1234567890.10"]


def run(page: Page, module: str, expression: str, argument: Any = None) -> Any:
    page.goto("/blank")
    body = f"const m = await import('/static/js/{module}.js'); return {expression};"
    return page.evaluate(f"async (given) => {{ {body} }}", argument)


def test_the_page_writes_numbers_exactly_as_the_server_does(page: Page) -> None:
    shown = run(page, "format", "given.map(v => [m.money(v), m.signedMoney(v), m.price(v), m.whole(v), m.percent(v)])", MONEY)
    for text, row in zip(MONEY, shown, strict=True):
        value = Decimal(text)
        assert row == [
            numbers.rupees(value),
            numbers.signed_rupees_text(value),
            numbers.price(value),
            numbers.units(value),
            numbers.percent(value),
        ]


def test_what_is_not_a_number_is_a_dash(page: Page) -> None:
    assert run(page, "format", "[null, undefined, '', 'x', 'NaN'].map(m.money)") == ["–"] * 5


def test_spreads_are_exact(page: Page) -> None:
    assert run(page, "format", "[m.difference('104.30','104.20'), m.difference('1','2.5'), m.difference(null,'1')]") == [
        "0.1000",
        "-1.5000",
        None,
    ]


@pytest.mark.parametrize(
    ("seconds", "state"),
    [(0, "live"), (2, "live"), (2.1, "slow"), (5, "slow"), (5.1, "stale"), (60, "stale"), (60.1, "down"), (None, "unknown")],
)
def test_an_age_is_judged_on_both_sides_of_each_bound(page: Page, seconds: float | None, state: str) -> None:
    assert run(page, "age", "m.judge(given)", seconds) == state


def test_a_missing_sequence_number_is_a_gap(page: Page) -> None:
    assert run(page, "live", "[m.isGap(undefined,7), m.isGap(6,7), m.isGap(5,7), m.isGap(7,7)]") == [False, False, True, False]


def test_reconnects_back_off_with_jitter_and_a_ceiling(page: Page) -> None:
    assert run(page, "live", "[0,1,2,9].map(n => m.waitBefore(n, () => 1))") == [1000, 2000, 4000, 30000]
    assert run(page, "live", "[0,9].map(n => m.waitBefore(n, () => 0))") == [500, 15000]


def test_the_opposite_click_takes_a_lot_away(page: Page) -> None:
    legs = run(
        page,
        "legs",
        "given.reduce((legs, side) => m.addLeg(legs, {exchange: 'NFO', symbol: 'A', side}), []).map(l => [l.side, l.lots])",
        ["BUY", "BUY", "SELL"],
    )
    assert legs == [["BUY", 1]]
    held = {"exchange": "NFO", "symbol": "A", "side": "BUY", "lots": 1}
    assert run(page, "legs", "m.addLeg([given], {...given, side: 'SELL'})", held) == []


def test_ticks_and_values_are_patched_in_place_and_a_gap_reads_again(page: Page) -> None:
    page.goto("/gallery")
    heard = page.evaluate(
        """async () => {
          const live = await import('/static/js/live.js');
          let reads = 0;
          document.body.addEventListener('am:orders', () => { reads += 1; });
          const at = new Date().toISOString();
          live.receive({topic: 'chain', seq: 9, at, kind: 'ticks', q: {'NFO:NIFTY01DEC2626000CE': {l: '110.05', t: Date.now()}}});
          live.receive({topic: 'run:12', seq: 1, at, kind: 'values', v: {'run:12:pnl': '-1250.00', 'run:12:loss_share': '55'}});
          live.receive({topic: 'orders', seq: 4, at, kind: 'changed'});
          live.receive({topic: 'orders', seq: 6, at, kind: 'values', v: {}});
          await new Promise((done) => setTimeout(done, 500));
          return {
            reads,
            last: document.querySelector('[data-quote="NFO:NIFTY01DEC2626000CE"][data-field="l"]').textContent,
            pnl: document.querySelector('[data-value="run:12:pnl"]').outerHTML,
            bar: document.querySelector('[data-value="run:12:loss_share"] rect').getAttribute('width'),
          };
        }"""
    )
    assert heard["reads"] == 2
    assert heard["last"] == "110.05"
    assert "−₹1,250.00" in heard["pnl"]
    assert "pnl-down" in heard["pnl"]
    assert heard["bar"] == "55.0%"


def test_a_notice_stays_in_the_tray_and_opens_only_our_own_pages(page: Page) -> None:
    page.goto("/gallery")
    shown = page.evaluate(
        """async () => {
          const live = await import('/static/js/live.js');
          live.receive({topic: 'alarms', seq: 1, at: new Date().toISOString(), kind: 'notice', id: 7,
                        text: 'Order unknown <b>x</b>', url: '//evil.example/', ack: '/alerts/7/ack', severity: 'alarm'});
          const row = document.querySelector('[data-event="7"]');
          return {html: row.innerHTML, count: document.querySelector('[data-alarm-count]').textContent};
        }"""
    )
    assert "&lt;b&gt;" in shown["html"]
    assert "evil.example" not in shown["html"]
    assert shown["count"] == "3"


TABLE = """
<div aria-label="Results"><table data-sort>
<thead><tr><th>Run</th><th class="r">Net</th><th><span class="sr-only">Acts</span></th></tr></thead>
<tbody><tr><td>Beta</td><td class="r">+₹1,250.00</td><td></td></tr>
<tr data-child><td>of Beta</td><td class="r">–</td><td></td></tr>
<tr><td>alpha</td><td class="r">−₹2,00,000.50</td><td></td></tr>
<tr><td>Gamma</td><td class="r">–</td><td></td></tr></tbody></table></div>
"""


def test_a_heading_orders_the_rows_and_keeps_children_and_the_unknown_in_their_place(page: Page) -> None:
    page.goto("/blank")
    page.evaluate("html => { document.body.innerHTML = html; }", TABLE)
    page.evaluate("async () => (await import('/static/js/sort.js')).start()")

    def order() -> list[str]:
        return page.locator("tbody td:first-child").all_inner_texts()

    assert page.get_by_role("button").all_inner_texts() == ["Run", "Net"]
    page.get_by_role("button", name="Run").click()
    assert order() == ["alpha", "Beta", "of Beta", "Gamma"]
    page.get_by_role("button", name="Net").click()
    assert order() == ["Beta", "of Beta", "alpha", "Gamma"], "the largest first, what is not known last"
    page.get_by_role("button", name="Net").click()
    assert order() == ["alpha", "Beta", "of Beta", "Gamma"]
    assert page.locator("th[aria-sort]").get_attribute("aria-sort") == "ascending"
    page.evaluate("html => { document.body.innerHTML = html; }", TABLE)
    page.evaluate("document.body.dispatchEvent(new CustomEvent('htmx:afterSettle'))")
    assert order() == ["alpha", "Beta", "of Beta", "Gamma"], "what was chosen outlives the next reading"

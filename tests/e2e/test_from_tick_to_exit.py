"""The main job, as its user does it: watch, build, preview, start, close the browser, be taken out by the stop."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

import pytest
from playwright.sync_api import Page, expect

from algomirror.frame.templatetags.numbers import rupees
from tests.e2e.browser import a_page, sign_in
from tests.e2e.house import House, a_house
from tests.patience import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.processes]


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with a_house() as running:
        yield running


def watch_the_chain_tick(page: Page, house: House) -> None:
    page.goto(house.url + "/chain")
    cell = page.locator("tr.atm [data-quote][data-field=l]").first
    expect(cell).to_have_text(re.compile(r"\d"))
    before = page.locator("table.chain").inner_text()
    wait_for(lambda: page.locator("table.chain").inner_text() != before, "a tick to change the chain", house.tail)


def build_a_straddle(page: Page, house: House, name: str, max_loss: int) -> None:
    page.goto(house.url + "/strategies/new")
    page.get_by_role("button", name="Add leg").click()
    expect(page.locator("#legs [data-leg]")).to_have_count(2)
    page.locator("[name=legs-0-action]").select_option("SELL")
    page.locator("[name=legs-1-action]").select_option("SELL")
    page.locator("[name=legs-0-kind]").select_option("CE")
    page.locator("[name=legs-1-kind]").select_option("PE")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Product").select_option("NRML")
    for account in ("Paper Asha", "Paper Bala", "Paper Chitra"):
        page.get_by_role("checkbox", name=re.compile(account)).check()
    page.get_by_label(re.compile("Max loss ₹")).fill(str(max_loss))
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()


def preview_and_start(page: Page) -> int:
    page.get_by_role("button", name="Preview the saved version").click()
    send = page.get_by_role("button", name=re.compile("6 orders"))
    expect(send).to_be_visible()
    expect(page.locator("#plan [aria-label='Orders of this plan'] tbody tr")).to_have_count(6)
    send.click()
    page.wait_for_url(re.compile(r"/runs/\d+"))
    return int(re.findall(r"/runs/(\d+)", page.url)[0])


def test_a_stop_takes_three_accounts_out_with_no_browser_open(house: House) -> None:
    with a_page() as page:
        sign_in(page, house)
        watch_the_chain_tick(page, house)
        build_a_straddle(page, house, "Short straddle", 4000)
        run_id = preview_and_start(page)
        wait_for(lambda: house.one("select state from trading_run where id=?", run_id) == "OPEN", "the run to open", house.tail)
        expect(page.locator("main")).to_contain_text("open", ignore_case=True)
    for account in (1, 2, 3):
        assert sorted(house.broker_net(account).values()) == [-65, -65]

    house.shock("NIFTY", 3)

    wait_for(lambda: house.one("select state from trading_run where id=?", run_id) == "CLOSED", "the run to close", house.tail)
    realised = {}
    for account in (1, 2, 3):
        assert house.broker_net(account) == {}
        traded = house.broker_orders(account)
        assert len(traded) == 4 and set(traded.values()) == {65}, "each leg once in and once out, never more"
        realised[account] = house.broker_realised(account)

    with a_page() as page:
        sign_in(page, house)
        page.goto(f"{house.url}/runs/{run_id}")
        body = page.locator("main")
        expect(body).to_contain_text("Max loss")
        expect(body).to_contain_text("closed", ignore_case=True)
        for amount in (sum(realised.values()), *realised.values()):
            expect(body, "the run shows the brokers' own books and their sum").to_contain_text(rupees(abs(amount)))

    kinds = house.sql("select kind from risk_riskevent where run_id=? and action='EXIT'", run_id)
    assert kinds == [("MAX_LOSS",)], "one decision, once"
    assert (
        house.one("select count(*) from trading_exitgoal g join trading_book b on b.id=g.book_id where b.run_id=?", run_id) == 3
    )
    ours = house.sql(
        "select b.account_id, sum(p.realised) from trading_position p join trading_book b on b.id=p.book_id"
        " where b.run_id=? group by 1 order by 1",
        run_id,
    )
    assert [Decimal(str(total)).quantize(Decimal("0.01")) for _, total in ours] == [realised[n] for n in (1, 2, 3)]

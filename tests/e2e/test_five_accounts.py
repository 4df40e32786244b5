"""Five accounts, each with its own trouble: one plan, and everybody gets exactly what it should."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser import a_page, sign_in
from tests.e2e.house import House, a_house
from tests.patience import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.processes]

FINE, REFUSED, SMALL, DOWN, STRANGE = 1, 2, 3, 4, 5
NAMES = {FINE: "Paper Asha", REFUSED: "Paper Bala", SMALL: "Paper Chitra", DOWN: "Paper Devi", STRANGE: "Paper Esha"}


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with a_house(accounts=5) as running:
        yield running


def make_trouble(page: Page, house: House) -> None:
    """One has too little money, one does not answer, one trades real money where paper is expected."""
    house.control("POST", "/capital", account=SMALL, rupees=50_000)
    house.control("POST", "/faults", kind="drop_before", account=DOWN, endpoint="*", count=None)
    house.control("POST", "/analyzer", account=STRANGE, on=False)
    page.goto(house.url + "/accounts")
    for number in (SMALL, DOWN, STRANGE):
        page.get_by_role("region", name=NAMES[number]).get_by_role("button", name="Test", exact=True).click()
        # The next click would take this one's answer away.
        expect(page.locator("#accounts-outcome")).to_contain_text(f"Test of {NAMES[number]}")


def build_a_condor(page: Page, house: House) -> None:
    page.goto(house.url + "/strategies/templates")
    page.get_by_role("link", name="Use Iron condor").click()
    for row, steps in ((0, "OTM 3"), (2, "OTM 5")):
        page.get_by_role("button", name=f"Chain with the strikes of leg {row + 1}").click()
        table = page.locator(f"#strikes-{row}")
        expect(table.locator("tbody tr")).to_have_count(25)
        table.get_by_role("button", name=re.compile(f"^{steps}")).click()
        expect(page.locator(f"[name=legs-{row}-strike_offset]")).to_have_value(steps.split()[1])
    page.get_by_label("Name", exact=True).fill("Five condors")
    page.get_by_label("Product").select_option("NRML")
    page.get_by_label("Hedge wait, seconds").fill("60")
    for name in NAMES.values():
        page.get_by_role("checkbox", name=re.compile(name)).check()
    page.get_by_label(re.compile("Max loss ₹")).fill("20000")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("heading", name="Five condors")).to_be_visible()


def preview(page: Page) -> None:
    page.get_by_role("button", name="Preview the saved version").click()
    plan = page.locator("#plan")
    expect(plan.locator("[aria-label='Orders of this plan'] tbody tr")).to_have_count(8)
    for number, code in ((SMALL, "MARGIN_SHORT"), (DOWN, "LINK_DOWN"), (STRANGE, "ACCOUNT_HALTED")):
        expect(plan.locator(".strip-bad").filter(has_text=NAMES[number])).to_contain_text(code)
    expect(plan.get_by_role("button", name=re.compile("8 orders to 2 paper accounts"))).to_be_visible()


def hedge_of(page: Page) -> str:
    """The bought call of the plan."""
    rows = page.locator("[aria-label='Orders of this plan'] tbody tr").filter(has_text="BUY").all_inner_texts()
    return next(found for text in rows for found in re.findall(r"\bNIFTY\w+CE\b", text))


def test_each_account_gets_what_it_can_take_and_one_refusal_unwinds_one_account(house: House) -> None:
    with a_page() as page:
        sign_in(page, house)
        make_trouble(page, house)
        build_a_condor(page, house)
        preview(page)
        house.control("POST", "/faults", kind="refuse", account=REFUSED, symbol=hedge_of(page), count=None)
        page.get_by_role("button", name=re.compile("8 orders")).click()
        page.wait_for_url(re.compile(r"/runs/\d+"))
        run = int(re.findall(r"/runs/(\d+)", page.url)[0])
        wait_for(lambda: state_of(house, run) == "OPEN", "the run to open", house.tail)
        expect(page.locator("body")).to_contain_text(NAMES[REFUSED])
        assert sorted(house.broker_net(FINE).values()) == [-65, -65, 65, 65]
        assert [house.broker_net(n) for n in (SMALL, DOWN, STRANGE)] == [{}, {}, {}]
        # The run is open with what the others hold; the refused account's bought leg may still be on its way out.
        wait_for(lambda: book_of(house, run, REFUSED) == "FLAT", "the refused account to be flat", house.tail)
        assert house.broker_net(REFUSED) == {}
        hedges_came_first(house, run)
        page.goto(house.url + f"/runs/{run}/exit")
        page.get_by_role("button", name=re.compile("Exit", re.I)).last.click()
        wait_for(lambda: state_of(house, run) == "CLOSED", "the run to close", house.tail)
        assert house.broker_net(FINE) == {}
        assert house.one("select exit_reason from trading_run where id=?", run) == "MANUAL"
        assert NAMES[REFUSED] in house.one("select text from ops_alarm where kind='ENTRY_INCOMPLETE' and run_id=?", run)
        schedule_it(page, house)


def schedule_it(page: Page, house: House) -> None:
    """09:20 with square-off at 15:10; what the clock makes of it is tested on a clock that tests move."""
    page.goto(house.url + "/strategies/1/edit")
    page.get_by_label("Entry at").fill("09:20")
    page.get_by_label("Square-off time").fill("15:10")
    page.get_by_role("button", name="Save as next version").click()
    expect(page.get_by_text("Saved as version 2.")).to_be_visible()
    page.goto(house.url + "/strategies")
    page.get_by_role("button", name="Schedule on").click()
    row = page.locator("tbody tr").filter(has_text="Five condors")
    expect(row).to_contain_text(re.compile(r"09:20 to 09:25.*on\s*next \d\d? \w{3} 09:20", re.S))


def book_of(house: House, run: int, account: int) -> str:
    return str(house.one("select state from trading_book where run_id=? and account_id=?", run, account))


def state_of(house: House, run: int) -> str:
    return str(house.one("select state from trading_run where id=?", run))


def hedges_came_first(house: House, run: int) -> None:
    orders = "select o.id from trading_order o join trading_book b on b.id=o.book_id where b.run_id=? and b.account_id=?"
    first_short = house.one(
        f"select min(sent_at) from trading_order where action='SELL' and purpose='ENTRY' and id in ({orders})", run, FINE
    )
    last_hedge = house.one(
        "select max(first_seen_at) from trading_fill where order_id in"
        f" (select id from trading_order where purpose='HEDGE' and id in ({orders}))",
        run,
        FINE,
    )
    assert last_hedge <= first_short
    of_refused = house.sql(
        f"select purpose, state from trading_order where sent_at is not null and id in ({orders})", run, REFUSED
    )
    assert ("ENTRY", "FILLED") not in of_refused, "no short without its hedge"

"""Every page of a house in use, on a laptop and a phone, by day and by night: nothing broken, cut off or unreadable."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.e2e.house import a_house
from tests.e2e.pages import Furnished
from tests.patience import wait_for
from tests.ui.stage import launched, patient

pytestmark = [pytest.mark.processes, pytest.mark.browser]

AXE = (Path(__file__).parent.parent / "ui" / "vendor" / "axe.min.js").read_text()
WHOLE = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
CONTRAST = {"color-contrast": {"enabled": False}}
SIZES = ((1440, 900), (390, 844))


@pytest.fixture(scope="module")
def furnished() -> Iterator[Furnished]:
    with a_house() as house:
        yield Furnished(house)


@pytest.fixture(scope="module")
def tab(furnished: Furnished) -> Iterator[tuple[Page, list[str]]]:
    said: list[str] = []
    with sync_playwright() as playwright:
        browser = launched(playwright)
        context = patient(browser, base_url=furnished.house.url, reduced_motion="reduce")
        context.add_cookies([{"name": n, "value": v, "url": furnished.house.url} for n, v in furnished.cookies.items()])
        page = context.new_page()
        page.on("console", lambda m: said.append(f"{m.type}: {m.text}") if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: said.append(f"script: {e}"))
        yield page, said
        browser.close()


def faults(page: Page, rules: dict[str, Any]) -> list[str]:
    # Of what passes only a count is made, which spares most of the work.
    wanted = {**rules, "resultTypes": ["violations"]}
    found: list[dict[str, Any]] = page.evaluate("async (rules) => (await axe.run(document, rules)).violations", wanted)
    return [f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found for node in one["nodes"][:3]]


def rules_for(theme: str, width: int) -> dict[str, Any]:
    """All rules once; then only what another width or other colours can change."""
    is_wide = width == SIZES[0][0]
    if theme == "light":
        return {"runOnly": {"type": "tag", "values": WHOLE}, "rules": {} if is_wide else CONTRAST}
    return {"runOnly": {"type": "rule", "values": ["color-contrast" if is_wide else "target-size"]}}


def look_at(page: Page, path: str) -> list[str]:
    """What is wrong with this page in any width and theme."""
    wrong: list[str] = []
    page.set_viewport_size({"width": SIZES[0][0], "height": SIZES[0][1]})
    page.emulate_media(color_scheme="light")
    page.goto(path, wait_until="load")
    page.evaluate(AXE)
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            beyond = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            wrong += [f"{theme}: {beyond} px wider than {width}"] if beyond > 0 else []
            wrong += [f"{theme} {width}: {one}" for one in faults(page, rules_for(theme, width))]
    return wrong


def test_no_page_is_broken_cut_off_or_unreadable(furnished: Furnished, tab: tuple[Page, list[str]]) -> None:
    page, said = tab
    wrong: dict[str, list[str]] = {}
    for path in (pages := list(furnished.pages())):
        # What leaving the last page breaks off is not this one's fault.
        page.goto("about:blank")
        said.clear()
        found = look_at(page, path)
        loud = [one for one in said if not (path == "/no-such-page" and "404" in one)]
        if found or loud:
            wrong[path] = [*found, *loud]
    assert not wrong, "\n".join(f"{path}\n  " + "\n  ".join(lines) for path, lines in wrong.items())
    assert len(pages) > 45


def test_an_outside_position_is_adopted_by_clicks(furnished: Furnished, tab: tuple[Page, list[str]]) -> None:
    page, house = at_a_desk(tab), furnished.house
    page.goto("/reconciliation")
    page.get_by_role("link", name="Decide").first.click()
    page.get_by_role("button", name="Adopt 1 lot").click()
    expect(page.get_by_text("Adopted into the ticket book")).to_be_visible()
    held = "select p.units from trading_position p join trading_book b on b.id=p.book_id where b.kind='TICKET'"
    assert house.one(held) == 65


def test_a_reason_being_typed_is_not_read_away(furnished: Furnished, tab: tuple[Page, list[str]]) -> None:
    page = at_a_desk(tab)
    page.goto("/risk/limits")
    page.evaluate(
        """() => { const box = document.querySelector("[hx-trigger*='from:body']");
        box.insertAdjacentHTML("beforeend", '<input id="typed" aria-label="typed">'); }"""
    )
    page.locator("#typed").fill("because I")
    page.evaluate("document.body.dispatchEvent(new CustomEvent('am:risk'))")
    page.wait_for_timeout(400)
    assert page.locator("#typed").input_value() == "because I"
    page.locator("#typed").fill("")
    with page.expect_response("**/risk/limits/used*"):
        page.evaluate("document.body.dispatchEvent(new CustomEvent('am:risk'))")


def test_a_stop_of_a_live_run_is_changed_by_clicks(furnished: Furnished, tab: tuple[Page, list[str]]) -> None:
    page = at_a_desk(tab)
    page.goto(f"/runs/{furnished.open_run}")
    page.get_by_label("Max loss ₹").fill("85000")
    page.get_by_role("button", name="Change limits").click()
    expect(page.get_by_text("Limits changed.")).to_be_visible()
    assert furnished.house.one("select max_loss from risk_runlimits where run_id=?", furnished.open_run) == 85_000


def test_a_report_is_saved_by_a_click(tab: tuple[Page, list[str]]) -> None:
    page = at_a_desk(tab)
    page.goto("/analytics")
    with page.expect_download() as saved:
        page.get_by_role("link", name="XLSX").click()
    with zipfile.ZipFile(saved.value.path()) as book:
        assert "Morning straddle" in book.read("xl/worksheets/sheet2.xml").decode()


def test_what_a_person_opened_stays_open_when_the_numbers_are_read_again(tab: tuple[Page, list[str]]) -> None:
    page = at_a_desk(tab)
    page.goto("/account-positions")
    page.locator("details summary").first.click()
    with page.expect_response("**/account-positions/rows*"):
        page.evaluate("document.body.dispatchEvent(new CustomEvent('am:positions'))")
    expect(page.locator("details").first).to_have_attribute("open", "")
    expect(page.locator("details").first.get_by_text(re.compile("watched by|no guard"))).to_be_visible()


def test_a_basket_from_the_chain_becomes_a_run(furnished: Furnished, tab: tuple[Page, list[str]]) -> None:
    page, house = at_a_desk(tab), furnished.house
    page.goto("/chain?width=5")
    for kind in ("CE", "PE"):
        page.locator("tr.atm").get_by_role("button", name=re.compile(rf"^Buy \d+ {kind} at")).click()
    tray = page.get_by_role("region", name="Basket")
    expect(tray).to_contain_text("2 legs")
    tray.get_by_role("button", name="Save as strategy").click()
    expect(page.locator("#legs [data-leg]")).to_have_count(2)
    page.get_by_label("Name", exact=True).fill("From the chain")
    page.get_by_label("Product").select_option("NRML")
    page.get_by_role("checkbox", name=re.compile("Paper Bala")).check()
    page.get_by_label(re.compile("Max loss ₹")).fill("90000")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("button", name="Preview the saved version").click()
    page.get_by_role("button", name=re.compile("2 orders to 1 paper account")).click()
    page.wait_for_url(re.compile(r"/runs/\d+"))
    expect(page.get_by_role("heading", name=re.compile("From the chain"))).to_be_visible()
    run = int(page.url.rpartition("/")[2])
    wait_for(lambda: house.one("select state from trading_run where id=?", run) == "OPEN", "the run to open", house.tail)


def test_an_order_is_modified_and_cancelled_by_clicks(furnished: Furnished, tab: tuple[Page, list[str]]) -> None:
    page, house = at_a_desk(tab), furnished.house
    symbol = furnished.values()["symbol"]
    paid = house.one("select open_value / abs(units) from trading_position where symbol=? and units <> 0", symbol)
    rests = round(float(paid) * 0.7)  # far from the market, inside the exchange's range
    page.goto(f"/ticket?exchange=NFO&symbol={symbol}&action=BUY")
    page.get_by_label("Product").select_option("NRML")
    page.get_by_label("Price type").select_option("LIMIT")
    page.get_by_label("Limit price").fill(f"{rests}.00")
    page.get_by_role("checkbox", name=re.compile("Paper Chitra")).check()
    page.get_by_role("button", name="Preview", exact=True).click()
    page.get_by_role("button", name=re.compile("1 order to 1 paper account")).click()
    expect(page.get_by_text("On its way.")).to_be_visible()
    order = house.one("select max(id) from trading_order")
    working = page.get_by_role("region", name="Working by hand")
    expect(working).to_contain_text("accepted")
    page.locator(f"#modify-{order}").click()
    dialog = page.locator("dialog#modify")
    dialog.get_by_label("Limit price").fill(f"{rests + 1}.00")
    dialog.get_by_role("button", name="Change it in 1 paper account").click()
    expect(dialog.locator("#modify-outcome")).to_contain_text("asked")
    wait_for(lambda: house.one("select price from trading_order where id=?", order) == rests + 1, "the new price", house.tail)
    dialog.get_by_role("button", name=re.compile("Close without")).click()
    page.locator(f"#cancel-{order}").click()
    page.locator("#cancel-PAPER").get_by_role("button", name="Cancel this order").click()
    state = "select state from trading_order where id=?"
    wait_for(lambda: house.one(state, order) == "CANCELED", "the order to be cancelled", house.tail)


def test_the_kill_switch_takes_everything_flat_from_any_page(furnished: Furnished, tab: tuple[Page, list[str]]) -> None:
    page, house = at_a_desk(tab), furnished.house
    page.goto("/holdings")
    page.get_by_role("link", name="Kill switch").click()
    dialog = page.get_by_role("dialog", name="Kill switch")
    dialog.get_by_role("button", name="Flatten").click()
    dialog.locator("[data-kill-final]").click()
    expect(dialog.get_by_text("exits stand")).to_be_visible()
    flat = "select count(*) from trading_position where units <> 0"
    wait_for(lambda: house.one(flat) == 0, "everything to be flat", house.tail)
    wait_for(lambda: not house.broker_net(2), "the broker to say so", house.tail)


def at_a_desk(tab: tuple[Page, list[str]]) -> Page:
    page = tab[0]
    page.set_viewport_size({"width": SIZES[0][0], "height": SIZES[0][1]})
    page.emulate_media(color_scheme="light")
    return page

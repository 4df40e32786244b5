"""A leg's strike chosen from listed strikes with prices: as a strike, or as steps from the money. Nothing is saved by it."""

from __future__ import annotations

import re

import httpx
import pytest

from accounts.gateway.directory import far_side
from tests.accounts import far
from tests.page_rules import inline_parts, text_of, world
from tests.strategies import stage
from tests.strategies.test_the_pages_say_what_they_do import typed

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_now")]
HTMX = {"HX-Request": "true"}


def field(page, row, name):
    select = re.search(rf'<select name="legs-{row}-{name}".*?</select>', page, re.S)
    if select:
        return re.search(r'value="([^"]*)" selected', select.group()).group(1)
    found = re.search(rf'<input[^>]*name="legs-{row}-{name}"[^>]*>', page)
    value = re.search(r'value="([^"]*)"', found.group())
    return value.group(1) if value else ""


def test_the_strikes_of_a_leg_stand_around_the_money_with_their_prices(alice):
    account, before = stage.account(1), world()
    answer = alice.post("/strategies/legs/strikes", typed([account]) | {"op": "strikes:0"}, headers=HTMX)
    page = text_of(answer)
    assert answer.status_code == 200 and not inline_parts(answer)
    assert page.count("strike:0:") == 23 and "NIFTY 24 Nov 2026 CE" in page and "steps:0:ATM:0" in page
    assert "steps:0:OTM:2" in page and "65.05" in page, "24200: 65 at the mid, 0.05 each side"
    account.refresh_from_db()
    assert world() == before


@pytest.mark.parametrize(
    ("op", "fields"),
    [
        ("strike:0:24200.00", {"strike_mode": "STRIKE", "strike_value": "24200.00"}),
        ("steps:0:OTM:3", {"strike_mode": "OTM", "strike_offset": "3"}),
        ("steps:0:ATM:0", {"strike_mode": "ATM", "strike_offset": "0"}),
    ],
)
def test_one_click_takes_it_into_the_leg(alice, op, fields):
    page = text_of(alice.post("/strategies/legs", typed([stage.account(1)]) | {"op": op}, headers=HTMX))
    assert {name: field(page, 0, name) for name in fields} == fields


@pytest.mark.parametrize("op", ["strike:99:24200", "steps:x:OTM:3", "strike", "strikes:0"])
def test_a_click_on_no_row_changes_nothing(alice, op):
    page = text_of(alice.post("/strategies/legs", typed([stage.account(1)]) | {"op": op}, headers=HTMX))
    assert field(page, 0, "strike_value") == ""


def test_what_has_no_strikes_says_why(alice, _now):
    base = typed([stage.account(1)])
    for change, why in (
        ({"legs-0-kind": "FUT"}, "a future has no strikes"),
        ({"legs-0-slot": "DATE", "legs-0-expiry_date": "2026-11-25"}, "has no 25 Nov 2026 expiry"),
        ({"legs-0-slot": "DATE", "legs-0-expiry_date": "soon"}, "choose the date of the expiry first"),
        ({"legs-0-underlying": "MOON"}, "not an enabled underlying"),
    ):
        page = text_of(alice.post("/strategies/legs/strikes", base | change | {"op": "strikes:0"}, headers=HTMX))
        assert why in page, (change, page)
    assert alice.post("/strategies/legs/strikes", base | {"op": "strikes:9"}, headers=HTMX).status_code == 404
    _now.advance(60)
    with far_side(lambda account: far.saying(lambda request: httpx.Response(500), account_id=account.pk)):
        page = text_of(alice.post("/strategies/legs/strikes", base | {"op": "strikes:0"}, headers=HTMX))
    assert "no fresh price" in page


def test_without_scripts_the_builder_comes_back_as_typed_with_the_strikes(alice):
    page = text_of(alice.post("/strategies/legs/strikes", typed([stage.account(1)]) | {"op": "strikes:0"}))
    assert "<form" in page and page.count("strike:0:") == 23 and field(page, 0, "action") == "SELL"

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.gateway.directory import far_side
from accounts.models import Account, User
from algomirror.kernel import clock
from algomirror.kernel.errors import Conflict, Refused
from algomirror.ops.models import Alarm, Journal
from marketdata import terms
from marketdata.domain.listing import Held, changes
from marketdata.instruments import import_instruments
from marketdata.models import ContractSpec, FreezeLimit, Instrument, InstrumentChange, TermsDispute
from marketdata.reference.load import load
from tests.marketdata.cast import FRIDAY, account, owner
from tests.marketdata.test_the_contract_list_is_imported import FUTURE, GOOD, Lists, listed
from tests.page_rules import inline_parts, world

NOV, DEC = date(2026, 11, 23), date(2026, 12, 1)
LATER = listed("NIFTY01DEC2626000CE", expiry="01-DEC-26")


@pytest.fixture(autouse=True)
def _friday(db: None) -> Iterator[None]:
    load(actor="test")
    with clock.use(clock.FrozenClock(FRIDAY)):
        yield


@pytest.fixture
def alice() -> User:
    return owner()


@pytest.fixture
def lists() -> Iterator[Lists]:
    far = Lists()
    with far_side(lambda _: far):  # type: ignore[arg-type, return-value]
        yield far


@pytest.fixture
def feed(alice: User, lists: Lists) -> Account:
    return account(alice)


def again(feed: Account, lists: Lists, *rows: Any) -> None:
    lists.nfo = list(rows)
    import_instruments(feed.pk, actor="test")


def nifty(expiry: date = NOV) -> Instrument:
    found = Instrument.objects.filter(underlying="NIFTY", expiry=expiry, kind="CE").first()
    assert found is not None
    return found


def test_a_differing_lot_opens_a_dispute_once_and_an_agreeing_list_settles_it(feed: Account, lists: Lists) -> None:
    for _ in range(2):
        again(feed, lists, listed(GOOD.symbol, lot_units=75))
    row = TermsDispute.objects.get()
    assert (row.underlying, row.expiry, row.field, row.listed, row.held, row.state) == ("NIFTY", NOV, "lot", "75", "65", "OPEN")
    assert set(terms.disputed()) == {"NIFTY"}
    again(feed, lists, GOOD)
    assert terms.disputed() == {} and TermsDispute.objects.get().state == "SETTLED"


def test_accepting_makes_our_terms_follow_for_that_expiry_or_from_it_on(feed: Account, lists: Lists) -> None:
    again(feed, lists, listed(GOOD.symbol, lot_units=75), LATER)
    terms.accept(TermsDispute.objects.get().pk, actor="user:alice", onwards=False)
    spec = ContractSpec.objects.get(expiring_from=NOV)
    assert (spec.lot_units, spec.expiring_to, spec.freeze_units) == (75, NOV, 1800)
    again(feed, lists, listed(GOOD.symbol, lot_units=75), LATER)
    assert terms.disputed() == {}, "the next list agrees, and December still has its own lot"
    again(feed, lists, GOOD, listed(LATER.symbol, expiry="01-DEC-26", lot_units=50))
    open_one = TermsDispute.objects.get(expiry=DEC, state="OPEN")
    terms.accept(open_one.pk, actor="user:alice", onwards=True)
    held = terms.book(FRIDAY.date()).held("NIFTY", date(2027, 1, 26))
    assert held is not None and held.lot_units == 50


def test_an_override_holds_until_its_last_day_and_can_be_restored(feed: Account, lists: Lists) -> None:
    wrong = listed(GOOD.symbol, lot_units=75)
    again(feed, lists, wrong)
    row = TermsDispute.objects.get()
    terms.override(row.pk, actor="user:alice", reason="circular NSE/FAOP/70616", until=date(2026, 11, 21))
    assert nifty().lot_units == 65
    again(feed, lists, wrong)
    assert nifty().lot_units == 65 and terms.disputed() == {}
    terms.restore(row.pk, actor="user:alice")
    assert nifty().lot_units == 75 and set(terms.disputed()) == {"NIFTY"}
    terms.override(row.pk, actor="user:alice", reason="again", until=date(2026, 11, 21))
    with clock.use(clock.FrozenClock(FRIDAY + timedelta(days=2))):
        again(feed, lists, wrong)
    assert nifty().lot_units == 75 and set(terms.disputed()) == {"NIFTY"}, "the override is over"
    kinds = list(Journal.objects.filter(kind__startswith="reference.", actor="user:alice").values_list("kind", flat=True))
    assert kinds == ["reference.overridden", "reference.restored", "reference.overridden"]


def test_another_figure_opens_the_question_again(feed: Account, lists: Lists) -> None:
    again(feed, lists, listed(GOOD.symbol, lot_units=75))
    terms.override(TermsDispute.objects.get().pk, actor="user:alice", reason="typo there", until=None)
    again(feed, lists, listed(GOOD.symbol, lot_units=50))
    assert set(terms.disputed()) == {"NIFTY"} and nifty().lot_units == 50


@pytest.mark.parametrize(("listed_units", "held"), [(900, 900), (2400, 1800)])
def test_while_a_freeze_is_disputed_the_smaller_one_slices(feed: Account, lists: Lists, listed_units: int, held: int) -> None:
    again(feed, lists, listed(GOOD.symbol, freeze_units=listed_units))
    assert nifty().freeze_units == held and set(terms.disputed()) == {"NIFTY"}


def test_an_overridden_dispute_rings_no_alarm(feed: Account, lists: Lists) -> None:
    again(feed, lists, listed(GOOD.symbol, lot_units=75))
    rung = Alarm.objects.get(kind="REFERENCE_DISPUTED").seen_times
    terms.override(TermsDispute.objects.get().pk, actor="user:alice", reason="typo there", until=None)
    again(feed, lists, listed(GOOD.symbol, lot_units=75))
    assert Alarm.objects.get(kind="REFERENCE_DISPUTED").seen_times == rung


def test_a_decision_is_made_once_and_needs_its_reason(feed: Account, lists: Lists) -> None:
    again(feed, lists, listed(GOOD.symbol, lot_units=75))
    row = TermsDispute.objects.get()
    for reason, until in ((" ", None), ("why", date(2026, 11, 19))):
        with pytest.raises(Refused):
            terms.override(row.pk, actor="user:alice", reason=reason, until=until)
    terms.accept(row.pk, actor="user:alice", onwards=False)
    for decide in (lambda: terms.accept(row.pk, actor="x", onwards=True), lambda: terms.restore(row.pk, actor="x")):
        with pytest.raises(Conflict):
            decide()


def test_each_list_is_compared_with_the_one_before(feed: Account, lists: Lists) -> None:
    again(feed, lists, GOOD, FUTURE)
    assert set(InstrumentChange.objects.filter(underlying="NIFTY").values_list("kind", "contracts")) == {("LISTED", 2)}
    again(feed, lists, GOOD, FUTURE)
    count = InstrumentChange.objects.count()
    with clock.use(clock.FrozenClock(FRIDAY + timedelta(days=1))):
        again(feed, lists, listed(GOOD.symbol, lot_units=75), LATER)
        again(feed, lists, listed(GOOD.symbol, lot_units=75), LATER)
    new = InstrumentChange.objects.order_by("id")[count:]
    assert {(row.kind, row.expiry, row.before, row.after) for row in new} == {
        ("LOT", NOV, "65", "75"),
        ("DELISTED", NOV, "", ""),
        ("LISTED", DEC, "", ""),
    }, "and what is gone is told once"


def test_a_list_that_could_not_be_read_changes_nothing_on_record(feed: Account, lists: Lists) -> None:
    from accounts.gateway.reports import Failed, Why

    again(feed, lists, GOOD)
    before = InstrumentChange.objects.count()
    lists.nfo = Failed(Why.TIMEOUT, "slow")
    import_instruments(feed.pk, actor="test")
    assert InstrumentChange.objects.count() == before


def test_changes_are_counted_per_expiry() -> None:
    from decimal import Decimal

    one = {f"s{n}": Held("NIFTY", NOV, 65, None, Decimal("0.05")) for n in range(3)}
    two = {f"s{n}": Held("NIFTY", NOV, 65, 1800, Decimal("0.10")) for n in range(1, 4)}
    assert [(c.kind, c.contracts, c.before, c.after) for c in changes(one, two)] == [
        ("DELISTED", 1, "", ""),
        ("FREEZE", 2, "not known", "1800"),
        ("LISTED", 1, "", ""),
        ("TICK", 2, "0.05", "0.10"),
    ]


@pytest.fixture
def browser(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def test_the_page_shows_terms_slots_disputes_and_decides(browser: Client, feed: Account, lists: Lists) -> None:
    again(feed, lists, listed(GOOD.symbol, lot_units=75), FUTURE, LATER)
    before = world()
    answer = browser.get("/settings/instruments")
    html = answer.content.decode()
    for text in (
        "Mon 23 Nov 2026",
        "Tue 1 Dec",
        "27 lots (1,755)",
        "Freeze by month",
        "Keep ours",
        "Accept the list",
        "to confirm",
    ):
        assert text in html, text
    assert not inline_parts(answer) and world() == before
    row = TermsDispute.objects.get()
    assert browser.post(f"/settings/instruments/disputes/{row.pk}/override", {"reason": ""}).status_code == 422
    assert browser.post(f"/settings/instruments/disputes/{row.pk}/override", {"reason": "circular"}).status_code == 302
    assert "Restore the list" in browser.get("/settings/instruments").content.decode()
    assert browser.post(f"/settings/instruments/disputes/{row.pk}/accept").status_code == 409
    assert browser.post(f"/settings/instruments/disputes/{row.pk}/restore").status_code == 302


def test_a_typed_freeze_reaches_the_contracts_and_changes_the_row_of_the_same_day(
    browser: Client, feed: Account, lists: Lists
) -> None:
    again(feed, lists, GOOD)
    underlying = ContractSpec.objects.filter(underlying__symbol="NIFTY").values_list("underlying", flat=True)[0]
    fields = {"underlying": underlying, "effective_from": "2026-11-01", "freeze_units": "900", "source": "circular"}
    for units in ("900", "1200"):
        assert browser.post("/settings/instruments/freeze", {**fields, "freeze_units": units}).status_code == 302
        assert nifty().freeze_units == int(units)
    assert terms.freezes(date(2026, 11, 2))["NIFTY"] == 1200
    assert browser.post("/settings/instruments/freeze", {**fields, "freeze_units": "1"}).status_code == 422
    ended = {**fields, "effective_to": "2026-11-30"}
    assert browser.post("/settings/instruments/freeze", ended).status_code == 302
    assert FreezeLimit.objects.get(underlying=underlying, effective_from=date(2026, 11, 1)).effective_to == date(2026, 11, 30)
    kinds = Journal.objects.filter(subject__startswith="freezelimit").order_by("id").values_list("kind", flat=True)
    assert list(kinds) == ["reference.added", "reference.edited", "reference.edited"]


def test_viewers_read_and_only_the_owner_decides(feed: Account, lists: Lists) -> None:
    bob = Client()
    bob.force_login(owner("bob", "VIEWER"))
    page = bob.get("/settings/instruments").content.decode()
    assert "NIFTY" in page and "Import now" not in page and "Type terms" not in page
    for path in ("import", "terms", "freeze", "disputes/1/accept", "disputes/1/override", "disputes/1/restore"):
        assert bob.post(f"/settings/instruments/{path}").status_code == 403, path
    assert Client().get("/settings/instruments").status_code == 302


def test_the_owner_may_import_now_and_sees_how_it_goes(browser: Client, feed: Account, lists: Lists) -> None:
    from algomirror.ops.heartbeat import beat

    assert browser.post("/settings/instruments/import").status_code == 302
    beat("instruments", state="storing", exchange="NFO", done=500, total=2763, imported=500, failed={})
    fragment = browser.get("/settings/instruments/progress").content.decode()
    assert "500 of 2,763" in fragment and "every 2s" in fragment and "<html" not in fragment

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, time
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from algomirror.kernel import clock
from algomirror.ops.models import Alarm, Journal
from marketdata import calendar, timetable
from marketdata.domain.timetable import Entry, compare, compare_with_server, read, written
from marketdata.models import CalendarProposal, Holiday, SpecialSession, TradingHours
from marketdata.reference.load import load
from simulator.clock import SimClock
from simulator.world import World
from tests.accounts.far import behind
from tests.marketdata.cast import account, ist, owner
from tests.page_rules import inline_parts, world

NOW = ist(2026, 11, 20, 10, 30)
MONDAY = ist(2026, 11, 23, 12)


@pytest.fixture(autouse=True)
def _friday(db: None) -> Iterator[None]:
    load(actor="test")
    with clock.use(clock.FrozenClock(NOW)):
        yield


@pytest.fixture
def alice() -> User:
    return owner()


@pytest.fixture
def browser(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def put(browser: Client, kind: str, **fields: Any) -> Any:
    return browser.post(f"/settings/calendar/put/{kind}", fields)


def test_it_shows_hours_holidays_and_special_sessions_of_one_exchange(browser: Client) -> None:
    before = world()
    answer = browser.get("/settings/calendar", {"exchange": "BFO"})
    html = answer.content.decode()
    for text in ("15:40", "15:30", "Guru Nanak Jayanti", "Muhurat trading", "Union Budget", "to confirm", "Thu 31 Dec 2026"):
        assert text in html, text
    assert "are not covered" not in html
    assert not inline_parts(answer) and world() == before
    assert browser.get("/settings/calendar", {"exchange": "MOON"}).status_code == 422


def test_the_banner_starts_when_the_next_thirty_days_are_not_known(browser: Client) -> None:
    with clock.use(clock.FrozenClock(ist(2026, 12, 2, 9))):
        assert "not covered" in browser.get("/settings/calendar").content.decode()
        timetable.warn_if_uncovered()
        timetable.warn_if_uncovered()
    assert Alarm.objects.get(kind="CALENDAR_UNCOVERED").seen_times == 2


def test_a_holiday_closes_the_market_at_once_and_the_journal_says_who(browser: Client) -> None:
    assert calendar.is_open("NFO", MONDAY)
    answer = put(browser, "HOLIDAY", exchanges=["NFO", "BFO"], date="2026-11-23", name="Election", nature="TRADING")
    assert answer.status_code == 302
    assert not calendar.is_open("NFO", MONDAY) and not calendar.is_open("BFO", MONDAY) and calendar.is_open("NSE", MONDAY)
    assert set(Journal.objects.filter(kind="reference.added").values_list("actor", flat=True)) == {"user:alice"}


def test_a_special_session_is_changed_in_place_and_decides_its_day(browser: Client) -> None:
    row = SpecialSession.objects.get(exchange="NFO", date=date(2026, 11, 8))
    form = browser.get("/settings/calendar", {"edit": f"SPECIAL-{row.pk}"}).content.decode()
    assert 'value="2026-11-08"' in form and "readonly" in form
    put(
        browser, "SPECIAL", exchanges=["NFO"], date="2026-11-08", name=row.name, opens="17:30", closes="18:45", confirmed="on"
    )  # fmt: skip
    row.refresh_from_db()
    assert (row.opens, row.confirmed) == (time(17, 30), True)
    assert calendar.is_open("NFO", ist(2026, 11, 8, 17, 45)) and not calendar.is_open("NFO", ist(2026, 11, 8, 19))


def test_new_hours_begin_on_their_day_and_old_days_keep_theirs(browser: Client) -> None:
    put(
        browser, "HOURS", exchanges=["NFO"], weekdays=list("01234"), opens="09:00", closes="16:00", effective_from="2026-12-07"
    )  # fmt: skip
    assert calendar.session_close("NFO", date(2026, 12, 4)) == ist(2026, 12, 4, 15, 40)
    assert calendar.session_close("NFO", date(2026, 12, 7)) == ist(2026, 12, 7, 16)
    assert calendar.session_close("NFO", date(2026, 7, 31)) == ist(2026, 7, 31, 15, 30)


def test_retiring_keeps_the_row_and_loading_does_not_bring_it_back(browser: Client) -> None:
    row = Holiday.objects.get(exchange="NFO", date=date(2026, 11, 24))
    assert browser.post("/settings/calendar/retire", {"kind": "HOLIDAY", "row": row.pk}).status_code == 302
    tuesday = ist(2026, 11, 24, 12)
    assert calendar.is_open("NFO", tuesday) and not calendar.is_open("BFO", tuesday)
    load(actor="test")
    calendar.forget()
    assert calendar.is_open("NFO", tuesday)
    assert browser.post("/settings/calendar/retire", {"kind": "HOLIDAY", "row": row.pk}).status_code == 409
    put(browser, "HOLIDAY", exchanges=["NFO"], date="2026-11-24", name=row.name, nature="TRADING")
    assert not calendar.is_open("NFO", tuesday), "saved again it counts again"


def test_hours_are_ended_and_not_removed(browser: Client) -> None:
    row = TradingHours.objects.get(exchange="NFO", weekday=0, effective_to=None)
    browser.post("/settings/calendar/retire", {"kind": "HOURS", "row": row.pk})
    row.refresh_from_db()
    assert row.effective_to == NOW.date()
    assert calendar.session_close("NFO", date(2026, 11, 16)) and not calendar.session_close("NFO", date(2026, 11, 30))


def test_hours_may_be_ended_on_a_day_of_choice(browser: Client) -> None:
    row = TradingHours.objects.get(exchange="NFO", weekday=0, effective_to=None)
    browser.post("/settings/calendar/retire", {"kind": "HOURS", "row": row.pk, "last_day": "2026-12-14"})
    row.refresh_from_db()
    assert row.effective_to == date(2026, 12, 14)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("HOLIDAY", {"date": "soon", "name": "x", "nature": "TRADING"}),
        ("HOLIDAY", {"date": "2026-12-01", "name": "", "nature": "TRADING"}),
        ("HOLIDAY", {"date": "2026-12-01", "name": "x", "nature": "PARTY"}),
        ("SPECIAL", {"date": "2026-12-01", "name": "x", "opens": "10:00", "closes": "10:00"}),
        ("HOURS", {"weekdays": ["7"], "opens": "09:00", "closes": "10:00", "effective_from": "2026-12-01"}),
        ("HOURS", {"weekdays": [], "opens": "09:00", "closes": "10:00", "effective_from": "2026-12-01"}),
        ("HOURS", {"weekdays": ["0"], "opens": "9", "closes": "x", "effective_from": "2026-12-02", "effective_to": "2026-12-01"}),
    ],
)
def test_a_bad_row_is_said_beside_its_field_and_nothing_is_saved(browser: Client, kind: str, fields: dict[str, Any]) -> None:
    before = world()
    answer = put(browser, kind, exchanges=["NFO"], **fields)
    assert answer.status_code == 422 and "Nothing was saved" in answer.content.decode()
    assert world() == before


def test_only_the_owner_edits(browser: Client) -> None:
    bob = Client()
    bob.force_login(owner("bob", "TRADER"))
    page = bob.get("/settings/calendar").content.decode()
    assert "Guru Nanak" in page and "Retire" not in page and "Compare" not in page
    for path in ("put/HOLIDAY", "retire", "file", "server"):
        assert bob.post(f"/settings/calendar/{path}").status_code == 403
    assert Client().get("/settings/calendar").status_code == 302
    assert browser.get("/settings/calendar/retire").status_code == 405
    assert browser.post("/settings/calendar/put/NOTHING").status_code == 404


def upload(browser: Client, text: str) -> Any:
    file = SimpleUploadedFile("mine.csv", text.encode(), content_type="text/csv")
    return browser.post("/settings/calendar/file", {"file": file})


def test_an_export_read_back_says_no_difference(browser: Client) -> None:
    text = browser.get("/settings/calendar/export.csv").content.decode()
    assert text.count("\n") == 1 + len(timetable.entries())
    assert upload(browser, text).status_code == 302
    assert CalendarProposal.objects.get().changes == []


def test_a_file_counts_only_after_approval_and_only_what_was_ticked(browser: Client) -> None:
    lines = written(timetable.entries()).splitlines()
    lines.append("HOLIDAY,NFO,2026-11-23,Election,TRADING,,,,,,")
    lines.append("HOLIDAY,NFO,2027-01-26,Republic Day,TRADING,,,,,,")
    answer = upload(browser, "\n".join(lines))
    proposal = CalendarProposal.objects.get()
    assert [change["act"] for change in proposal.changes] == ["ADD", "ADD"]
    assert calendar.is_open("NFO", MONDAY)
    page = browser.get(answer["Location"]).content.decode()
    assert "Election" in page and page.count('name="chosen"') == 2
    browser.post(f"{answer['Location']}/approve", {"chosen": ["0"]})
    assert not calendar.is_open("NFO", MONDAY)
    assert not Holiday.objects.filter(date=date(2027, 1, 26)).exists()
    assert browser.post(f"{answer['Location']}/approve", {"chosen": ["1"]}).status_code == 409, "decided once"
    assert Journal.objects.filter(kind="calendar.approved", actor="user:alice").count() == 1


def test_a_discarded_file_changes_nothing(browser: Client) -> None:
    answer = upload(browser, "kind,exchange,date,name\nHOLIDAY,NFO,2026-11-23,Election\n")
    browser.post(f"{answer['Location']}/discard")
    assert calendar.is_open("NFO", MONDAY)
    assert CalendarProposal.objects.get().state == "DISCARDED"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "CSV file"),
        (" ", "columns"),
        ("a,b\n1,2\n", "columns"),
        ("kind,exchange,moon\n", "unknown columns"),
        ("kind,exchange,date,name\nHOLIDAY,NFO,2026-13-01,x\n", "line 2"),
        ("kind,exchange,date,name\nHOLIDAY,MCX,2026-12-01,x\n", "exchange"),
        ("kind,exchange,date,name\nPARTY,NFO,2026-12-01,x\n", "kind"),
        ("kind,exchange,date,name\nHOLIDAY,NFO,2026-12-01,x\nHOLIDAY,NFO,2026-12-01,y\n", "twice"),
        ("kind,exchange,date,name,opens,closes\nSPECIAL,NFO,2026-12-01,x,11:00,10:00\n", "before"),
        ("kind,exchange,date,name\nHOLIDAY,NFO,2026-12-01,x,y,z\n", "too many"),
    ],
)
def test_a_file_with_one_wrong_line_is_refused_whole(browser: Client, text: str, said: str) -> None:
    before = world()
    answer = upload(browser, text)
    assert answer.status_code == 422 and said in answer.content.decode()
    assert world() == before


def test_a_servers_calendar_is_compared_and_never_copied(browser: Client, alice: User) -> None:
    made = World(accounts=1, seed=7, profile="sandbox", clock=SimClock(NOW, frozen=True))
    at_server = account(alice, rest=5601, key=made.accounts[0].api_key)
    Holiday.objects.filter(exchange="NFO", date=date(2026, 12, 25)).delete()
    with behind(made):
        answer = browser.post("/settings/calendar/server", {"account": at_server.pk})
    proposal = CalendarProposal.objects.get()
    acts = {(c["act"], c["entry"]["kind"], c["entry"]["exchange"], c["entry"]["date"]) for c in proposal.changes}
    assert ("ADD", "HOLIDAY", "NFO", "2026-12-25") in acts
    assert ("ONLY_HERE", "SPECIAL", "NFO", "2026-02-01") in acts, "a server lacks the Budget Sunday; ours stays"
    assert "Paper 1" in browser.get(answer["Location"]).content.decode()


def test_a_server_that_does_not_answer_changes_nothing(browser: Client, alice: User) -> None:
    at_server = account(alice, rest=5699)
    with behind(World(accounts=1, seed=7, profile="sandbox", clock=SimClock(NOW, frozen=True))):
        assert browser.post("/settings/calendar/server", {"account": at_server.pk}).status_code == 422
    assert not CalendarProposal.objects.exists()


names = st.text(st.characters(whitelist_categories=("L", "N", "P", "Zs")), min_size=1, max_size=80).map(str.strip).filter(bool)
holidays = st.builds(
    Entry,
    st.just("HOLIDAY"),
    st.sampled_from(["NSE", "NFO"]),
    st.dates(date(2020, 1, 1), date(2030, 1, 1)).map(date.isoformat),
    names,
    st.sampled_from(["TRADING", "SETTLEMENT", "BOTH"]),
)
lists = st.lists(holidays, max_size=20, unique_by=lambda entry: entry.identity)


@given(lists, lists)
def test_what_is_written_is_read_back_and_a_file_compared_with_itself_differs_nowhere(a: list[Entry], b: list[Entry]) -> None:
    entries, errors = read(written(a))
    assert errors == [] and sorted(entries, key=lambda e: e.identity) == sorted(a, key=lambda e: e.identity)
    assert compare(a, a) == []
    approved = {entry.identity: entry for entry in a} | {d.entry.identity: d.entry for d in compare(a, b) if d.act != "ONLY_HERE"}
    assert all(d.act == "ONLY_HERE" for d in compare(approved.values(), b)), "approving everything leaves nothing to approve"
    assert compare_with_server(a, a, frozenset()) == []

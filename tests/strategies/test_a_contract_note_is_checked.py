"""Totals of a contract note, typed or as a file, beside ours; nothing of it is kept but a line of the journal."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Account, User
from accounts.services import people
from algomirror.kernel import clock
from algomirror.ops.models import Journal
from strategies.domain.contractnote import ITEMS, Item, amount, compared, totals
from strategies.reports.day import day_report
from strategies.reports.forms import MOST_BYTES
from strategies.services import notecheck
from tests import cast, page_rules
from tests.strategies import stage

D = Decimal
FRIDAY = date(2026, 11, 20)
# Sold 65 at 104, bought them at 100: the sum of sales less purchases is 260.
EXACT = {"brokerage": "40", "stt": "10.14", "transaction": "4.71", "sebi": "0.01", "stamp": "0.20", "gst": "8.05"}


@pytest.fixture
def now(db: None) -> Any:
    frozen = clock.FrozenClock(cast.FRIDAY)
    with clock.use(frozen):
        stage.market()
        yield frozen


@pytest.fixture
def anil(now: clock.FrozenClock) -> Account:
    account = cast.account()
    position = cast.position(cast.book(account, cast.run()), price="104.00")
    cast.fill(cast.order(position.book, action="BUY", purpose="EXIT"), price="100.00")
    return account


def checked(of: Account, *, who: User | None = None, day: date = FRIDAY, **given: Any) -> HttpResponse:
    return cast.signed_in(who or cast.bob()).post(f"/reports/note?account={of.pk}&day={day}", given)


def file(text: str, name: str = "note.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, text.encode())


def test_every_typed_total_stands_beside_ours(anil: Account) -> None:
    total = day_report(anil, FRIDAY).costs.total
    assert total is not None
    items = notecheck.check(
        anil, FRIDAY, {**{name: D(text) for name, text in EXACT.items()}, "net": D(260) - total}, by="user:bob"
    )
    assert [(item.name, item.difference) for item in items] == [(name, D(0)) for name in ITEMS]
    answer = checked(anil, **EXACT, net=f"{260 - total}")
    shown = page_rules.text_of(answer)
    assert answer.status_code == 200 and shown.count(">agrees<") == 7 and "differs by more" not in shown


@pytest.mark.parametrize(
    ("theirs", "words"), [("11.14", "agrees"), ("11.15", "differs"), ("9.14", "agrees"), ("9.13", "differs")]
)
def test_more_than_a_rupee_either_way_is_marked_and_a_rupee_is_not(anil: Account, theirs: str, words: str) -> None:
    shown = page_rules.text_of(checked(anil, stt=theirs))
    assert (">agrees<" in shown, "differs by more than a rupee" in shown) == (words == "agrees", words == "differs")
    assert shown.count(">not given<") == 6


def test_a_file_says_the_same_as_typing(anil: Account) -> None:
    typed = page_rules.text_of(checked(anil, stt="12.00", brokerage="40"))
    brought = page_rules.text_of(checked(anil, file=file('Item,Amount\nSTT,"12.00"\n\nBrokerage,₹40\n')))
    assert [part in brought for part in ("differs by more than a rupee", "₹1.86", ">agrees<")] == [True] * 3
    assert typed[typed.index("items-h") : typed.index("note-h")] == brought[brought.index("items-h") : brought.index("note-h")]


def test_only_a_line_of_the_journal_is_kept(anil: Account) -> None:
    client = cast.signed_in(cast.bob())
    before = page_rules.world()
    client.post(f"/reports/note?account={anil.pk}&day={FRIDAY}", {"stt": "12.00", "gst": "8.05"})
    after = page_rules.world()
    assert [label for label in after if after[label] != before[label]] == ["ops.Journal"]
    row = Journal.objects.latest("id")
    assert (row.kind, row.actor, row.subject, row.account_id) == ("report.note_checked", "user:bob", "day:2026-11-20", anil.pk)
    assert row.numbers == {"differences": {"stt": "1.86", "gst": "0.00"}}
    assert row.why == "differs by more than a rupee: stt"


def test_looking_at_the_page_checks_and_keeps_nothing(anil: Account) -> None:
    client = cast.signed_in(cast.bob())
    client.get("/reports/note", {"account": anil.pk})
    before = page_rules.world()
    assert client.get("/reports/note", {"account": anil.pk, "day": str(FRIDAY)}).status_code == 200
    assert page_rules.world() == before


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        ({}, "", "Type at least one total"),
        ({"stt": "ten"}, "STT", "an amount of rupees"),
        ({"stt": "1.005"}, "STT", "two decimals"),
        ({"gst": "-1"}, "GST", "not below 0"),
        ({"sebi": "1e999999"}, "SEBI fee", "an amount of rupees"),
        ({"stamp": "9" * 31}, "Stamp duty", "at most 30"),
        ({"stt": "1", "file": "item,amount\nstt,1\n"}, "Or a file", "not both"),
        ({"file": "what,much\nstt,1\n"}, "Or a file", "Missing: item, amount"),
        ({"file": "item,amount\nstt,1\nvat,2\n"}, "Or a file", "line 2: there is no item “vat”"),
        ({"file": "item,amount\nstt,1\nSTT,2\n"}, "Or a file", "line 2: stt stands there twice"),
        ({"file": "item,amount\ngst,many\n"}, "Or a file", "line 1: gst: an amount of rupees"),
        ({"file": "item,amount\n" + "stt,1\n" * MOST_BYTES}, "Or a file", "Larger than 16 KB"),
        ({"file": "\0\udcff"}, "Or a file", ""),
    ],
)  # fmt: skip
def test_bad_input_is_said_with_what_and_where(anil: Account, given: dict[str, str], field: str, words: str) -> None:
    sent = {
        name: SimpleUploadedFile("n.csv", t.encode("utf-8", "surrogateescape")) if name == "file" else t
        for name, t in given.items()
    }
    answer = checked(anil, **sent)
    shown = page_rules.text_of(answer)
    assert answer.status_code == 422 and words in shown and "Nothing was checked." in shown
    assert not field or f"{field}</a>: " in shown
    assert not Journal.objects.filter(kind="report.note_checked").exists()


def test_what_we_do_not_know_is_neither_equal_nor_different(anil: Account) -> None:
    from risk.models import ChargeRate

    ChargeRate.objects.filter(exchange="NFO", item="STT").delete()
    shown = page_rules.text_of(checked(anil, stt="10.14", net="198"))
    assert shown.count("ours is not known") == 2
    assert ">agrees<" not in shown and "differs by more" not in shown


def test_with_a_future_the_net_amount_is_not_known(anil: Account) -> None:
    cast.position(cast.book(anil, cast.run()), price="24000.00", symbol="NIFTY24NOV26FUT")
    found = notecheck.ours(anil, day_report(anil, FRIDAY))
    assert found["net"] is None and found["stt"] is not None


def test_a_premium_that_was_received_is_a_positive_net_amount(now: clock.FrozenClock) -> None:
    """Sold 65 at 104: 6,760 come in, less the charges of one order."""
    account = cast.account()
    cast.position(cast.book(account, cast.run()), price="104.00")
    report = day_report(account, FRIDAY)
    assert report.costs.total is not None
    assert notecheck.ours(account, report)["net"] == D(6760) - report.costs.total


def test_whoever_may_see_the_account_may_check_and_nobody_else(anil: Account) -> None:
    other = cast.account("Theirs")
    bob = cast.bob()
    people.assign(cast.alice(), bob.pk, [anil.pk])
    assert checked(anil, who=bob, stt="1").status_code == 200
    assert checked(other, who=bob, stt="1").status_code == 404
    assert not Journal.objects.filter(kind="report.note_checked", account_id=other.pk).exists()


def test_a_day_that_has_not_come_has_no_note(anil: Account) -> None:
    answer = checked(anil, day=date(2026, 11, 21), stt="1")
    assert answer.status_code == 422 and "This day has not come yet" in page_rules.text_of(answer)


AMOUNTS = st.decimals(min_value=0, max_value=10**6, places=2)


@given(st.dictionaries(st.sampled_from(sorted(ITEMS)), st.tuples(AMOUNTS, AMOUNTS)))
def test_a_difference_is_theirs_less_ours_whatever_they_are(rows: dict[str, Any]) -> None:
    items = compared({n: o for n, (o, _) in rows.items()}, {n: t for n, (_, t) in rows.items()})
    assert [item.name for item in items] == list(ITEMS)
    for item in items:
        assert (item.difference is None) is (item.name not in rows) is (item.differs is None)
        if item.difference is not None:
            assert item.ours is not None and item.ours + item.difference == item.theirs
            assert item.differs is (abs(item.difference) > 1)


@given(st.dictionaries(st.sampled_from(sorted(ITEMS)), AMOUNTS))
def test_what_a_file_says_comes_out_as_it_went_in(rows: dict[str, Any]) -> None:
    found, faults = totals([{"item": name.upper(), "amount": f"{value:,}"} for name, value in rows.items()])
    assert (found, faults) == (rows, [])


@given(st.text(max_size=40), st.sampled_from(sorted(ITEMS)))
def test_no_text_breaks_an_amount(text: str, name: str) -> None:
    value, wrong = amount(text, name)
    assert (value is None) is bool(wrong)
    assert value is None or Item(name, value, value).difference == 0

"""Import through the real gateway from a simulated server, in process."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts.gateway.directory import far_side
from accounts.gateway.reports import Failed, ListedInstrument, Read, Why
from accounts.models import Account
from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from algomirror.ops.models import Alarm, Journal
from marketdata import instruments, selectors
from marketdata.instruments import import_instruments
from marketdata.models import ContractSpec, Instrument, Underlying
from marketdata.reference.load import load
from tests.marketdata.cast import FRIDAY, account, owner

NOV = date(2026, 11, 23)


def listed(symbol: str, **other: Any) -> ListedInstrument:
    fields: dict[str, Any] = {
        "exchange": "NFO",
        "symbol": symbol,
        "name": "NIFTY",
        "kind": "CE",
        "expiry": "23-NOV-26",
        "strike": Decimal(26000),
        "lot_units": 65,
        "tick": Decimal("0.05"),
        "freeze_units": None,
    }
    return ListedInstrument(**{**fields, **other})


GOOD = listed("NIFTY23NOV2626000CE")
SENSEX = listed("SENSEX26NOV2685000PE", exchange="BFO", expiry="26-NOV-26", strike=Decimal(85000), lot_units=20)
FUTURE = listed("NIFTY23NOV26FUT", kind="FUT", strike=None)


class Lists:
    """A far side that only has contract lists."""

    account_id = 1

    def __init__(self) -> None:
        self.nfo: Any = [GOOD, FUTURE]
        self.bfo: Any = [SENSEX]

    def instruments(self, exchange: str) -> Any:
        rows = self.nfo if exchange == "NFO" else self.bfo
        return rows if isinstance(rows, Failed) else Read(rows, FRIDAY, FRIDAY)


@pytest.fixture
def lists(db: None) -> Iterator[Lists]:
    load(actor="test")
    far = Lists()
    with clock.use(clock.FrozenClock(FRIDAY)), far_side(lambda row: far):  # type: ignore[arg-type,return-value]
        yield far


@pytest.fixture
def primary(lists: Lists) -> Account:
    return account(owner())


def run(primary: Account) -> instruments.Import:
    return import_instruments(primary.pk, actor="test")


def test_contracts_of_enabled_underlyings_and_their_indices_are_stored(primary: Account, lists: Lists) -> None:
    lists.nfo = [GOOD, FUTURE, listed("RELIANCE23NOV261500CE", strike=Decimal(1500)), listed("FINNIFTY23NOV2626000CE")]
    outcome = run(primary)
    assert (outcome.imported, outcome.complete) == (3, True)
    row = Instrument.objects.get(symbol=GOOD.symbol)
    assert (row.kind, row.expiry, row.strike, row.lot_units, row.freeze_units, row.listed_on) == (
        "CE", NOV, Decimal(26000), 65, 1800, FRIDAY.date(),
    )  # fmt: skip
    assert selectors.future("NIFTY", NOV) is not None
    assert {str(r) for r in Instrument.objects.filter(kind="INDEX")} == {
        "NSE_INDEX:NIFTY", "NSE_INDEX:BANKNIFTY", "BSE_INDEX:SENSEX",
    }  # fmt: skip
    assert Instrument.objects.count() == 6


def test_a_second_import_updates_in_place(primary: Account, lists: Lists) -> None:
    run(primary)
    before = Instrument.objects.get(symbol=GOOD.symbol).pk
    lists.nfo = [listed(GOOD.symbol, lot_units=75, freeze_units=1755), FUTURE]
    run(primary)
    row = Instrument.objects.get(symbol=GOOD.symbol)
    assert (row.pk, row.lot_units, row.freeze_units) == (before, 75, 1755)


@pytest.mark.parametrize(
    ("lie", "why"),
    [
        ({"expiry": "24-NOV-26"}, "expiry"),
        ({"expiry": ""}, "expiry"),
        ({"strike": Decimal(26100)}, "strike"),
        ({"strike": None}, "strike"),
        ({"lot_units": 0}, "lot or tick"),
        ({"tick": Decimal(0)}, "lot or tick"),
    ],
)
def test_a_row_that_contradicts_its_own_name_is_left_out_and_rings(
    primary: Account, lists: Lists, lie: dict[str, Any], why: str
) -> None:
    lists.nfo = [listed(GOOD.symbol, **lie), FUTURE]
    outcome = run(primary)
    assert dict(outcome.refused) == {why: 1}
    assert selectors.instrument("NFO", GOOD.symbol) is None
    assert Alarm.objects.filter(kind="INSTRUMENTS_REFUSED").count() == 1


def test_a_lot_that_differs_from_our_terms_rings_once_and_the_brokers_lot_is_used(primary: Account, lists: Lists) -> None:
    lists.nfo = [listed(GOOD.symbol, lot_units=75), listed("NIFTY23NOV2626050CE", strike=Decimal(26050), lot_units=75)]
    run(primary)
    run(primary)
    alarm = Alarm.objects.get(kind="REFERENCE_DISPUTED")
    assert "NIFTY lot" in alarm.text and "75" in alarm.text and "65" in alarm.text and alarm.seen_times == 2
    assert Instrument.objects.get(symbol=GOOD.symbol).lot_units == 75


def test_strikes_that_lie_another_step_apart_than_we_count_ring(primary: Account, lists: Lists) -> None:
    def ladder(step: int) -> list[ListedInstrument]:
        near, far = range(25500, 26501, step), range(20000, 25500, 500)
        return [listed(f"NIFTY23NOV26{strike}CE", strike=Decimal(strike)) for strike in (*far, *near)]

    lists.nfo = ladder(50)
    run(primary)
    assert not Alarm.objects.filter(kind="REFERENCE_DISPUTED").exists()
    lists.nfo = ladder(100)
    run(primary)
    text = Alarm.objects.get(kind="REFERENCE_DISPUTED").text
    assert "NIFTY strikes of 2026-11-23 lie 100 apart" in text and "steps of 50.00" in text


def test_the_freeze_follows_the_terms_in_force_on_the_expiry(primary: Account, lists: Lists) -> None:
    nifty = Underlying.objects.get(symbol="NIFTY")
    ContractSpec.objects.create(
        underlying=nifty, expiring_from=date(2026, 12, 1), lot_units=65, freeze_units=900, tick="0.05", source="test"
    )
    lists.nfo = [GOOD, listed("NIFTY01DEC2626000CE", expiry="01-DEC-26")]
    run(primary)
    found = dict(Instrument.objects.filter(kind="CE").values_list("symbol", "freeze_units"))
    assert found == {GOOD.symbol: 1800, "NIFTY01DEC2626000CE": 900}


def test_expired_contracts_are_not_stored(primary: Account, lists: Lists) -> None:
    lists.nfo = [GOOD, listed("NIFTY17NOV2626000CE", expiry="17-NOV-26")]
    assert run(primary).imported == 2


def test_a_list_that_cannot_be_read_leaves_what_was_there(primary: Account, lists: Lists) -> None:
    run(primary)
    lists.bfo = Failed(Why.TIMEOUT, "slow")
    outcome = run(primary)
    assert not outcome.complete and outcome.failed.keys() == {"BFO"}
    assert selectors.instrument("BFO", SENSEX.symbol) is not None
    assert instruments.progress()["state"] == "failed"
    assert Journal.objects.filter(kind="instruments.failed").count() == 1


def test_an_empty_list_is_a_failed_import(primary: Account, lists: Lists) -> None:
    lists.nfo = lists.bfo = []
    assert not run(primary).complete


def test_it_is_due_when_empty_and_again_the_next_morning_but_not_before(primary: Account, lists: Lists) -> None:
    frozen: Any = clock._clock
    assert instruments.due_account() == primary.pk
    run(primary)
    lists_missing = instruments.newest_lists()
    assert lists_missing.keys() == {"NIFTY", "SENSEX"}
    Underlying.objects.filter(symbol="BANKNIFTY").update(enabled=False)
    assert instruments.due_account() is None
    frozen.set(FRIDAY.astimezone(clock.IST).replace(hour=8, minute=29) + timedelta(days=1))
    assert instruments.due_account() is None
    frozen.set(FRIDAY.astimezone(clock.IST).replace(hour=8, minute=30) + timedelta(days=1))
    assert instruments.due_account() == primary.pk


def test_a_failed_import_is_tried_again_after_five_minutes(primary: Account, lists: Lists) -> None:
    lists.nfo = Failed(Why.TIMEOUT, "slow")
    run(primary)
    assert instruments.due_account() is None
    clock._clock.advance(301)  # type: ignore[attr-defined]
    assert instruments.due_account() == primary.pk


def test_the_command_says_what_it_did_and_what_is_missing(lists: Lists, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandError, match="connect one first"):
        call_command("import_instruments")
    with pytest.raises(CommandError, match="no such active account"):
        call_command("import_instruments", account=99)
    account(owner())
    call_command("import_instruments")
    assert "3 contracts imported" in capsys.readouterr().out
    lists.nfo = Failed(Why.KEY_REFUSED, "Invalid openalgo apikey")
    with pytest.raises(CommandError, match="KEY_REFUSED"):
        call_command("import_instruments")


def test_without_enabled_underlyings_it_is_refused(primary: Account) -> None:
    Underlying.objects.update(enabled=False)
    with pytest.raises(Refused):
        run(primary)

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client

from algomirror.kernel import clock
from algomirror.ops.models import Journal
from marketdata import calendar, models
from marketdata.reference.load import load
from tests.marketdata.cast import FRIDAY, list_options, owner

pytestmark = pytest.mark.django_db


@pytest.fixture
def office() -> Client:
    load(actor="test")
    alice = owner()
    alice.is_staff = alice.is_superuser = True
    alice.save()
    client = Client()
    client.force_login(alice)
    return client


def test_every_model_of_the_room_is_in_the_admin() -> None:
    for model in (getattr(models, name) for name in dir(models)):
        if isinstance(model, type) and issubclass(model, models.models.Model) and model.__module__ == models.__name__:
            assert admin.site.is_registered(model), model


@pytest.mark.parametrize(
    "name", ["underlying", "contractspec", "tradinghours", "holiday", "specialsession", "instrument", "viewingsession"]
)
def test_every_list_opens(office: Client, name: str) -> None:
    assert office.get(f"/admin/marketdata/{name}/").status_code == 200


def test_a_holiday_entered_by_a_person_closes_the_market_and_is_in_the_journal(office: Client) -> None:
    with clock.use(clock.FrozenClock(FRIDAY)):
        assert calendar.is_open("NFO")
        form = {"exchange": "NFO", "date": "2026-11-20", "name": "Sudden", "kind": "TRADING"}
        assert office.post("/admin/marketdata/holiday/add/", form).status_code == 302
        assert not calendar.is_open("NFO")
        row = models.Holiday.objects.get(exchange="NFO", date=date(2026, 11, 20))
        assert office.post(f"/admin/marketdata/holiday/{row.pk}/change/", {**form, "kind": "SETTLEMENT"}).status_code == 302
        assert calendar.is_open("NFO")
        assert office.post(f"/admin/marketdata/holiday/{row.pk}/delete/", {"post": "yes"}).status_code == 302
    kinds = [(j.kind, j.actor, j.numbers) for j in Journal.objects.filter(subject__startswith="holiday:").order_by("id")]
    assert [kind for kind, _, _ in kinds] == ["reference.added", "reference.edited", "reference.deleted"]
    assert all(actor == "user:alice" for _, actor, _ in kinds)
    assert kinds[1][2] == {"before": {"kind": "TRADING"}, "after": {"kind": "SETTLEMENT"}}


@pytest.mark.parametrize(
    ("model", "form"),
    [
        ("holiday", {"exchange": "NFO", "date": "2026-12-25", "name": "Twice", "kind": "TRADING"}),
        ("holiday", {"exchange": "NFO", "date": "soon", "name": "x", "kind": "TRADING"}),
        ("holiday", {"exchange": "NFO", "date": "2026-12-24", "name": "", "kind": "TRADING"}),
        (
            "tradinghours",
            {"exchange": "NFO", "weekday": "1", "opens": "15:00", "closes": "09:00", "effective_from": "2027-01-01"},
        ),
        (
            "tradinghours",
            {"exchange": "NFO", "weekday": "7", "opens": "09:00", "closes": "15:00", "effective_from": "2027-01-01"},
        ),
        ("specialsession", {"exchange": "NFO", "date": "2027-01-01", "name": "x", "opens": "10:00", "closes": "10:00"}),
    ],
)
def test_a_bad_row_is_refused_in_the_form(office: Client, model: str, form: dict[str, str]) -> None:
    before = Journal.objects.count()
    assert office.post(f"/admin/marketdata/{model}/add/", form).status_code == 200
    assert Journal.objects.count() == before


def test_a_new_freeze_reaches_the_listed_contracts_of_its_months_only(office: Client) -> None:
    list_options("NIFTY", date(2026, 12, 1), [26000])
    list_options("BANKNIFTY", date(2026, 12, 29), [58000])
    spec = models.ContractSpec.objects.get(underlying__symbol="NIFTY", expiring_from=date(2026, 1, 1))
    form: dict[str, Any] = {
        "underlying": spec.underlying_id,
        "expiring_from": "2026-01-01",
        "expiring_to": "",
        "lot_units": 65,
        "freeze_units": 900,
        "tick": "0.05",
        "source": "circular",
        "confirmed": "on",
    }
    assert office.post(f"/admin/marketdata/contractspec/{spec.pk}/change/", form).status_code == 302
    freezes = dict(models.Instrument.objects.filter(kind="CE").values_list("underlying", "freeze_units"))
    assert freezes == {"NIFTY": 900, "BANKNIFTY": 1800}


def test_instruments_are_read_only(office: Client) -> None:
    list_options("NIFTY", date(2026, 12, 1), [26000])
    row = models.Instrument.objects.first()
    assert row is not None
    assert office.get("/admin/marketdata/instrument/add/").status_code == 403
    assert office.post(f"/admin/marketdata/instrument/{row.pk}/delete/", {"post": "yes"}).status_code == 403

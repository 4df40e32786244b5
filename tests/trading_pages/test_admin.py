"""The admin shows what was traded and changes nothing of it."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.test import Client

from tests import cast

MODELS = [model._meta.model_name for model in apps.get_app_config("trading").get_models()]


@pytest.fixture
def operator() -> Client:
    alice = cast.alice()
    alice.is_staff = alice.is_superuser = True
    alice.save()
    return cast.signed_in(alice)


@pytest.mark.parametrize("model", MODELS)
def test_every_table_is_listed_and_searched_without_a_full_count(operator: Client, model: str) -> None:
    cast.position(cast.book(cast.account(), cast.run()))
    cast.outside_order(cast.account("Fyers Meera"))
    answer = operator.get(f"/admin/trading/{model}/", {"q": "NIFTY"})
    assert answer.status_code == 200
    assert answer.context["cl"].show_full_result_count is False


@pytest.mark.parametrize("model", MODELS)
def test_nobody_adds_edits_or_deletes_a_fact(operator: Client, model: str) -> None:
    held = cast.position(cast.book(cast.account(), cast.run()))
    assert operator.get(f"/admin/trading/{model}/add/").status_code == 403
    if model == "position":
        assert operator.post(f"/admin/trading/position/{held.pk}/change/", {"units": 0}).status_code == 403
        assert operator.post(f"/admin/trading/position/{held.pk}/delete/", {"post": "yes"}).status_code == 403
        held.refresh_from_db()
        assert held.units == -65


@pytest.mark.parametrize("model", MODELS)
def test_who_is_no_operator_is_not_let_in(model: str) -> None:
    assert cast.signed_in(cast.bob()).get(f"/admin/trading/{model}/").status_code == 302

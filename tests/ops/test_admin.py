from __future__ import annotations

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client, RequestFactory
from django.urls import reverse
from django_q.models import Failure, Schedule, Success

from accounts.models import User
from algomirror.ops import alarms
from algomirror.ops.models import Alarm, Heartbeat, Journal, Lease
from tests import cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(client: Client) -> Client:
    user = User.objects.create_superuser("alice", "alice@example.invalid", "Correct-horse-7", role=User.Role.OWNER)
    client.force_login(user)
    return client


@pytest.mark.parametrize("model", [Journal, Lease, Heartbeat, Alarm, Success, Failure, Schedule])
def test_facts_can_be_read_and_not_changed(owner: Client, model: type) -> None:
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"  # type: ignore[attr-defined]
    assert owner.get(reverse(f"{name}_changelist")).status_code == 200
    assert owner.get(reverse(f"{name}_add")).status_code == 403


@pytest.mark.parametrize("model", [Success, Failure])
def test_a_finished_task_cannot_be_sent_again(owner: Client, model: type) -> None:
    registered = admin.site._registry[model]  # type: ignore[index]
    request = owner.get(reverse("admin:index")).wsgi_request
    assert "resubmit_task" not in registered.get_actions(request)


def test_an_alarm_is_acknowledged_by_name(owner: Client) -> None:
    alarms.ring("BLIND", "no price", run_id=7)
    alarm = Alarm.objects.get()
    form = {"action": "acknowledge", "_selected_action": [alarm.pk]}
    owner.post(reverse("admin:ops_alarm_changelist"), form)
    alarm.refresh_from_db()
    assert (alarm.state, alarm.acknowledged_by) == ("ACKNOWLEDGED", "user:alice")


def test_a_row_of_the_journal_cannot_be_deleted(owner: Client) -> None:
    row = cast.recorded("x", actor="test")
    assert owner.post(reverse("admin:ops_journal_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    assert Journal.objects.filter(pk=row.pk).exists()


def _ours() -> list[type[Model]]:
    return sorted(admin.site._registry, key=lambda model: model._meta.label)


# A number and a name; they have no kinds and no days.
NOTHING_TO_FILTER_BY = {"ops.JournalSeal", "strategies.AccountGroup"}


def test_every_page_can_be_searched_and_filtered(owner: Client) -> None:
    secret = {"password", "token_hash", "code_hash", "session_key", "sealed_secret", "key_fingerprint"}
    user = owner.get(reverse("admin:index")).wsgi_request.user
    for model in _ours():
        page, name = admin.site._registry[model], model._meta.label
        for word in ("x", "7", "2026-11-20", "'"):
            request = RequestFactory().get("/admin/", {"q": word})
            request.user = user
            list(page.get_changelist_instance(request).result_list)
        named = {str(field).rpartition("__")[2] for field in page.get_search_fields(request)}
        assert named and not named & secret, name
        assert bool(page.get_list_filter(request)) is (name not in NOTHING_TO_FILTER_BY), name


# Typed by a person, and journaled by their pages' services or the admin itself; everything else is a fact.
EDITED_HERE = {
    "marketdata.Underlying", "marketdata.ContractSpec", "marketdata.TradingHours", "marketdata.Holiday",
    "marketdata.SpecialSession", "marketdata.FreezeLimit", "marketdata.MisCutoff", "risk.ChargeRate",
}  # fmt: skip


def test_only_reference_data_is_edited_here(owner: Client) -> None:
    request = owner.get(reverse("admin:index")).wsgi_request
    may = {m._meta.label for m in _ours() if admin.site._registry[m].has_change_permission(request)}
    assert may == EDITED_HERE

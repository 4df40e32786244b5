"""Stopping entries by hand: nothing more goes in, nothing comes out, and whoever asks again changes nothing."""

from __future__ import annotations

import pytest

from accounts.models import Account
from algomirror.ops.models import Journal
from tests.api.caller import Caller
from tests.page_rules import text_of
from tests.strategies import stage
from tests.strategies.living import a_far_side, is_, live
from trading.models import Order, Position, Run

pytestmark = pytest.mark.django_db


@pytest.fixture
def far(db):
    with a_far_side() as side:
        yield side


def entering(far) -> Run:
    """Hedges rest at the broker, the shorts wait for them."""
    for number in (1, 2):
        far.world.faults.add("slow_fill", account=number, count=1, seconds=3600)
    run = stage.started(list(Account.objects.order_by("id")))
    live(far, 20, until=lambda: Order.objects.filter(purpose="HEDGE", state__in=["ACCEPTED", "FILLED"]).count() == 4)
    return run


def test_what_rests_is_cancelled_what_was_not_sent_is_not_and_what_filled_stays(far, client):
    run = entering(far)
    client.force_login(stage.alice())
    assert "Stop entries" in text_of(client.get(f"/runs/{run.pk}"))
    shorts_out = Order.objects.filter(action="SELL", sent_at__isnull=False).count()
    assert client.post(f"/runs/{run.pk}/stop-entries").url == f"/runs/{run.pk}"
    live(far, 30, until=is_(run, "OPEN"))
    assert Order.objects.filter(action="SELL", sent_at__isnull=False).count() == shorts_out
    states = dict(Order.objects.values_list("client_order_id", "state"))
    assert set(states.values()) <= {"FILLED", "CANCELED", "DENIED"}, states
    assert sum(bool(units) for units in Position.objects.values_list("units", flat=True)) >= 2
    assert not any(order.attempt for order in Order.objects.all()), "nothing was asked again"
    page = text_of(client.get(f"/runs/{run.pk}"))
    assert "Stop entries" not in page and "user:alice stopped the entries of 2 accounts." in page


def test_a_repeat_and_a_finished_entry_change_nothing(far):
    run = entering(far)
    caller = Caller.of(stage.alice(), scopes=["exit"])
    assert [caller.post(f"runs/{run.pk}/stop-entries").json()["books"] for _ in range(2)] == [2, 0]
    assert Journal.objects.filter(kind="entries.stopped").count() == 1
    assert caller.post("runs/999/stop-entries").status_code == 404

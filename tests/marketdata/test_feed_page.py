"""The feed page and the owner's switch."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.test import Client
from django.urls import reverse

from algomirror.kernel import clock
from algomirror.ops.heartbeat import beat
from algomirror.ops.models import Heartbeat, Journal
from marketdata import status
from marketdata.models import FailoverRecord, FeedPin
from tests.cast import account, alice, bob, signed_in
from tests.page_rules import INLINE, world

pytestmark = pytest.mark.django_db


def text_of(response: HttpResponseBase) -> str:
    assert isinstance(response, HttpResponse)
    return response.content.decode()


def a_feed(source_id: int, *, skew: float = 0.4) -> None:
    at = clock.now().timestamp()
    beat(
        "feed", state="LIVE", source="Zerodha Anil", account_id=source_id, tier="BACKUP", ticks_per_s=12.5, index_age_s=0.4,
        silent=0, since_s=61.0, skew={str(source_id): [skew, at], "99": [9.0, at - 500]},
    )  # fmt: skip


def test_the_page_says_what_feeds_what_could_and_what_did() -> None:
    first, second = account("Zerodha Anil", is_primary=True), account("Upstox Bela", backup_rank=1)
    FailoverRecord.objects.create(
        owner=alice(), at=clock.now(), from_account=first, to_account=second, reason="3 failures in a row: gone",
        by="engine:feed", blind_ms=6400,
    )  # fmt: skip
    FailoverRecord.objects.create(
        owner=alice(), at=clock.now(), from_account=second, to_account=None, reason="no source delivers", by="engine:feed"
    )
    a_feed(second.pk, skew=-3.25)
    viewer = signed_in(bob())
    before = world()
    page = viewer.get(reverse("feeds"))
    shown = text_of(page)
    assert page.status_code == 200 and not INLINE.findall(shown) and world() == before
    for words in ("BACKUP", "12.5", "3 failures in a row: gone", "6,400 ms", "REST", "automatic", "-3.25 s", "dot-stale"):
        assert words in shown, words
    assert 'data-value="feed:silent" data-format="text">0<' in shown
    assert "Use now" not in shown
    parts = text_of(signed_in(bob()).get(reverse("feeds_parts")))
    assert "Switches" in parts and "<html" not in parts


def test_a_feed_that_fell_silent_has_no_figures() -> None:
    a_feed(account("Zerodha Anil", is_primary=True).pk)
    Heartbeat.objects.update(at=clock.now() - timedelta(seconds=6))
    shown = text_of(signed_in(bob()).get(reverse("feeds")))
    assert "does not report" in shown and "12.5" not in shown


def test_before_the_first_account_the_page_says_so(client: Client) -> None:
    shown = text_of(signed_in(alice()).get(reverse("feeds")))
    assert "No accounts yet" in shown and "No switch yet" in shown


def test_the_owner_chooses_a_source_and_gives_the_choice_back() -> None:
    account("Zerodha Anil", is_primary=True)
    second = account("Upstox Bela")
    owner = signed_in(alice())
    assert owner.post(reverse("feeds_choose"), {"account": second.pk}).status_code == 302
    pin = FeedPin.objects.get()
    assert (pin.account, pin.by) == (second, "user:alice")
    assert "Leave it to health" in text_of(owner.get(reverse("feeds")))
    owner.post(reverse("feeds_choose"), {"account": ""})
    assert not FeedPin.objects.exists()
    assert list(Journal.objects.filter(kind="feed.choice").order_by("pk").values_list("moved_to", flat=True)) == [
        str(second.pk),
        "automatic",
    ]


@pytest.mark.parametrize("asked", ["x", "99999", "-1"])
def test_an_account_that_does_not_exist_cannot_be_chosen(asked: str) -> None:
    assert signed_in(alice()).post(reverse("feeds_choose"), {"account": asked}).status_code in (409, 422)
    assert not FeedPin.objects.exists()


def test_only_the_owner_chooses_and_only_by_post() -> None:
    first = account("Zerodha Anil", is_primary=True)
    assert signed_in(bob()).post(reverse("feeds_choose"), {"account": first.pk}).status_code == 403
    assert signed_in(None).post(reverse("feeds_choose"), {"account": first.pk}).status_code == 302
    assert signed_in(alice()).get(reverse("feeds_choose")).status_code == 405
    assert not FeedPin.objects.exists()


def test_the_page_costs_the_same_number_of_queries_whatever_it_shows(django_assert_max_num_queries: object) -> None:
    rows = [account(f"Account {n}") for n in range(6)]
    a_feed(rows[0].pk)
    viewer = signed_in(bob())
    with django_assert_max_num_queries(6):  # type: ignore[operator]
        viewer.get(reverse("feeds_parts"))


def test_skews_are_known_while_measured_lately_and_our_own_by_the_median() -> None:
    at = clock.now()
    now = at.timestamp()
    assert status.skew_s(1, at) is None and status.own_skew_s(at) is None
    beat("feed", state="LIVE", index_age_s=0.1, skew={"1": [6.0, now - 1], "2": [7.0, now - 100], "3": [0.0, now - 121]})
    assert status.skew_s(1, at) == 6.0
    assert status.skew_s(3, at) is None
    assert status.own_skew_s(at) == -6.5
    levels = [status.skew_level(skew) for skew in (None, 0.0, 2.0, -2.1, 5.0, 5.1, -9.0)]
    assert levels == ["unknown", "ok", "ok", "amber", "amber", "red", "red"]


def test_the_api_lists_the_switches() -> None:
    first, second = account("Zerodha Anil", is_primary=True), account("Upstox Bela", backup_rank=1)
    FailoverRecord.objects.create(
        owner=alice(), at=clock.now(), from_account=first, to_account=second, reason="gone", by="engine:feed", blind_ms=6400
    )
    viewer = signed_in(bob())
    (record,) = viewer.get("/api/v1/failovers").json()["results"]
    assert record["is_automatic"] and record["blind_ms"] == 6400 and record["from_account_id"] == first.pk
    assert viewer.get("/api/v1/failovers?nonsense=1").status_code == 400
    assert signed_in(None).get("/api/v1/failovers").status_code in (401, 403)

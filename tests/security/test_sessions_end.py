from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import LoginSession, User
from algomirror.kernel.clock import FrozenClock
from algomirror.ops.models import Journal
from tests.accounts.cast import PASSWORD
from tests.security.enrolled import sign_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_rest")]

HOUR = 3600


def browser(user: User, agent: str = "Firefox", **typed: str) -> Client:
    client = Client(HTTP_USER_AGENT=agent)
    sign_in(client, user, **typed)
    return client


def is_in(client: Client) -> bool:
    return client.get("/accounts").status_code == 200


def test_each_sign_in_is_listed_with_its_browser_and_address(alice: User) -> None:
    client = browser(alice, "Firefox 145")
    browser(alice, "Safari", address="10.9.9.9")
    page = client.get("/profile").content.decode()
    assert "Firefox 145" in page and "Safari" in page and "10.9.9.9" in page and page.count("this one") == 1
    assert {row.session_key for row in LoginSession.objects.all()}.isdisjoint(page.split('"'))


def test_another_browser_is_signed_out_from_here(alice: User) -> None:
    here, there = browser(alice), browser(alice, "Lost phone")
    lost = LoginSession.objects.get(agent="Lost phone")
    assert here.post(f"/profile/sessions/{lost.pk}/end").status_code == 302
    assert is_in(here) and not is_in(there)
    assert here.post(f"/profile/sessions/{lost.pk}/end").status_code == 404
    assert Journal.objects.filter(kind="user.session_ended").count() == 1


def test_all_others_are_signed_out_at_once(alice: User) -> None:
    here, others = browser(alice), [browser(alice), browser(alice)]
    here.post("/profile/sessions/end-others")
    assert is_in(here) and not any(map(is_in, others))


def test_nobody_ends_another_s_session(alice: User, bob: User) -> None:
    hers, his = browser(alice), browser(bob)
    row = LoginSession.objects.get(user=alice)
    assert his.post(f"/profile/sessions/{row.pk}/end").status_code == 404
    his.post("/profile/sessions/end-others")
    assert is_in(hers)


@pytest.mark.parametrize(("hours", "stays"), [(11.9, True), (12.1, False)])
def test_an_idle_browser_is_signed_out_after_twelve_hours(alice: User, at_rest: FrozenClock, hours: float, stays: bool) -> None:
    client = browser(alice)
    at_rest.advance(hours * HOUR)
    assert is_in(client) is stays
    assert LoginSession.objects.filter(ended_at=None).exists() is stays


def test_use_keeps_it_alive_and_is_noted_every_five_minutes_only(alice: User, at_rest: FrozenClock) -> None:
    client = browser(alice)
    start = LoginSession.objects.get().seen_at
    at_rest.advance(299)
    is_in(client)
    assert LoginSession.objects.get().seen_at == start
    for _ in range(3):
        at_rest.advance(8 * HOUR)
        assert is_in(client)
    assert LoginSession.objects.get().seen_at > start


@pytest.mark.parametrize(("days", "stays"), [(29.9, True), (30.1, False)])
def test_a_remembered_browser_is_signed_out_after_thirty_days(
    alice: User, at_rest: FrozenClock, days: float, stays: bool
) -> None:
    client = browser(alice, remember="on")
    at_rest.advance(days * 24 * HOUR)
    assert is_in(client) is stays


def test_a_new_password_follows_the_policy_and_ends_the_other_browsers(alice: User) -> None:
    here, there = browser(alice), browser(alice)
    wrong = [
        {"present": "wrong", "new": "Another-Horse-8", "again": "Another-Horse-8"},
        {"present": PASSWORD, "new": "short", "again": "short"},
        {"present": PASSWORD, "new": "Alice-Horse-88", "again": "Alice-Horse-88"},
        {"present": PASSWORD, "new": "Another-Horse-8", "again": "Another-Horse-9"},
    ]
    assert [here.post("/profile/password", form).status_code for form in wrong] == [422] * 4
    right = {"present": PASSWORD, "new": "Another-Horse-8", "again": "Another-Horse-8"}
    assert here.post("/profile/password", right).status_code == 302
    assert is_in(here) and not is_in(there)
    assert LoginSession.objects.filter(ended_at=None).count() == 1
    assert here.get("/profile").content.count(b"this one") == 1
    alice.refresh_from_db()
    assert alice.check_password("Another-Horse-8")


def test_signing_out_ends_the_row_too(alice: User) -> None:
    client = browser(alice)
    client.post("/logout")
    assert not is_in(client) and LoginSession.objects.get().ended_by == "user:alice"

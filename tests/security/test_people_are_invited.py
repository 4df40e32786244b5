from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.models import Invite, User
from accounts.services import people
from algomirror.kernel.clock import FrozenClock
from algomirror.kernel.errors import Conflict, Refused
from algomirror.ops.models import Journal
from tests import cast
from tests.accounts.cast import PASSWORD
from tests.security.enrolled import enrol, sign_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_rest")]


def form(**changes: str) -> dict[str, str]:
    return {"username": "nina", "email": "nina@example.test", "password": PASSWORD, "again": PASSWORD} | changes


def joined(token: str, **changes: str) -> User:
    typed = form(**changes)
    return people.accept(token, username=typed["username"], email=typed["email"], password=typed["password"])


@pytest.mark.parametrize("role", ["TRADER", "RISK", "VIEWER"])
def test_the_owner_s_link_makes_a_person_with_its_role_once(alice: User, role: str) -> None:
    page = cast.signed_in(alice).post("/settings/users/invite", {"role": role}).content.decode()
    link = re.search(r"http://testserver(/invite/[\w-]+)", page)
    assert link is not None and link[1].rsplit("/", 1)[1] not in repr(list(Invite.objects.values()))
    stranger = Client()
    assert b"invited as" in stranger.get(link[1]).content
    assert stranger.post(link[1], form()).headers["Location"] == "/dashboard"
    nina = User.objects.get(username="nina")
    assert (nina.role, nina.is_staff, nina.is_superuser) == (role, False, False)
    assert stranger.get("/accounts").status_code == 200
    assert (Client().get(link[1]).status_code, Client().post(link[1], form(username="eve")).status_code) == (404, 404)


@pytest.mark.parametrize(("hours", "status"), [(23.9, 200), (24.1, 404)])
def test_a_link_opens_for_a_day(alice: User, at_rest: FrozenClock, hours: float, status: int) -> None:
    token = people.invite(alice, "VIEWER")
    at_rest.advance(hours * 3600)
    assert Client().get(f"/invite/{token}").status_code == status


def test_a_withdrawn_or_made_up_link_opens_nothing(alice: User) -> None:
    token = people.invite(alice, "VIEWER")
    cast.signed_in(alice).post(f"/settings/invites/{Invite.objects.get().pk}/withdraw")
    assert [Client().get(f"/invite/{t}").status_code for t in (token, "x", "a" * 300)] == [404] * 3
    with pytest.raises(Conflict):
        people.withdraw(alice, Invite.objects.get().pk)


@pytest.mark.parametrize(
    "change",
    [
        {"username": "no"},
        {"username": "alice"},
        {"email": "none"},
        {"email": "alice@example.test"},
        {"password": "weak", "again": "weak"},
        {"again": "Other-Horse-7"},
    ],
)
def test_bad_input_is_said_and_the_link_still_opens(alice: User, change: dict[str, str]) -> None:
    token = people.invite(alice, "VIEWER")
    assert Client().post(f"/invite/{token}", form(**change)).status_code == 422
    assert User.objects.count() == 1 and Client().get(f"/invite/{token}").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_two_people_at_the_same_moment_do_not_share_a_link(alice: User) -> None:
    token = people.invite(alice, "TRADER")

    def joining(number: int) -> bool:
        try:
            joined(token, username=f"nina{number}", email=f"n{number}@example.test")
        except Conflict:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(joining, range(4))) == [False, False, False, True]
    assert User.objects.filter(role="TRADER").count() == 1


def test_nobody_is_invited_as_owner_or_by_others(alice: User, tara: User) -> None:
    with pytest.raises(Refused):
        people.invite(alice, "OWNER")
    with pytest.raises(Refused):
        people.invite(tara, "VIEWER")
    assert cast.signed_in(alice).post("/settings/users/invite", {"role": "OWNER"}).status_code == 422
    assert not Invite.objects.exists()


def test_a_role_is_changed_and_counts_at_once(alice: User, tara: User) -> None:
    client = cast.signed_in(tara)
    assert client.get("/ticket").status_code == 200
    cast.signed_in(alice).post(f"/settings/users/{tara.pk}/role", {"role": "VIEWER"})
    assert client.get("/ticket").status_code == 403
    assert Journal.objects.get(kind="user.role").moved_to == "VIEWER"


@pytest.mark.parametrize("role", ["OWNER", "", "x"])
def test_nobody_becomes_owner_by_a_form(alice: User, tara: User, role: str) -> None:
    assert cast.signed_in(alice).post(f"/settings/users/{tara.pk}/role", {"role": role}).status_code == 422
    tara.refresh_from_db()
    assert tara.role == "TRADER"


def test_a_disabled_person_is_out_on_every_browser_and_may_come_back(alice: User, tara: User) -> None:
    owner, client = cast.signed_in(alice), Client()
    sign_in(client, tara)
    owner.post(f"/settings/users/{tara.pk}/active", {"active": "0"})
    assert client.get("/accounts").status_code == 302
    assert sign_in(Client(), tara, address="10.0.0.2") == ""
    owner.post(f"/settings/users/{tara.pk}/active", {"active": "1"})
    assert sign_in(Client(), tara, address="10.0.0.3") == "/dashboard"


def test_the_owner_cannot_disable_or_demote_herself(alice: User) -> None:
    for act, data in (("active", {"active": "0"}), ("role", {"role": "VIEWER"}), ("second-factor", {})):
        answer: Any = cast.signed_in(alice).post(f"/settings/users/{alice.pk}/{act}", data)
        assert answer.status_code == 422
    alice.refresh_from_db()
    assert alice.is_owner


def test_the_users_page_shows_who_has_a_second_factor(alice: User, tara: User) -> None:
    enrol(tara)
    page = cast.signed_in(alice).get("/settings/users").content.decode()
    assert "tara" in page and "Take second factor off" in page
    assert b"/settings/users" not in cast.signed_in(tara).get("/profile").content

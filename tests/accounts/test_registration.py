from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection, connections
from django.test import Client

from accounts.models import User
from accounts.services.owner import register_owner
from algomirror.kernel.errors import Conflict, Refused
from algomirror.ops.models import Journal
from tests.accounts.cast import PASSWORD
from tests.patience import PATIENCE_S

TYPED = {"username": "alice", "email": "Alice@example.test", "password": PASSWORD, "again": PASSWORD}


@pytest.mark.django_db
def test_the_first_visitor_becomes_the_owner_and_goes_on_to_add_an_account() -> None:
    client = Client()
    assert client.get("/").context["can_register"] is True
    answer = client.post("/register", TYPED)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/accounts/new")
    owner = User.objects.get()
    assert owner.is_owner and owner.email == "alice@example.test" and owner.check_password(PASSWORD)
    assert Journal.objects.get(kind="user.registered").actor == "user:alice"


@pytest.mark.django_db
def test_registration_closes_after_the_first(alice: User) -> None:
    client = Client()
    assert client.get("/").context["can_register"] is False
    assert client.get("/register").headers["Location"] == "/login"
    answer = client.post("/register", TYPED | {"username": "mallory", "email": "m@example.test"})
    assert answer.status_code == 409
    assert User.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_who_register_at_the_same_moment_one_wins() -> None:
    count = 6
    start = Barrier(count)

    def attempt(number: int) -> str:
        try:
            start.wait(PATIENCE_S)
            register_owner(username=f"user{number}", email=f"u{number}@example.test", password=PASSWORD)
            return "owner"
        except Conflict as refusal:
            return refusal.message
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        outcomes = sorted(pool.map(attempt, range(count)))
    assert outcomes == ["Registration is closed."] * (count - 1) + ["owner"]
    assert User.objects.count() == 1
    assert connection.vendor


@pytest.mark.django_db(transaction=True)
def test_two_who_both_passed_the_check_cannot_both_be_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """The race made certain: the check before the write is blind, the constraint is not."""
    monkeypatch.setattr("accounts.services.owner.is_registration_open", lambda: True)
    register_owner(username="first", email="f@example.test", password=PASSWORD)
    with pytest.raises(Conflict, match=r"Registration is closed\."):
        register_owner(username="second", email="s@example.test", password=PASSWORD)
    assert User.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", "al"),
        ("username", "has space"),
        ("username", "<script>"),
        ("email", "no address"),
        ("password", "Short-1"),
        ("password", "alllower-case-7"),
        ("password", "NoDigits-Here"),
        ("password", "NoSpecials77"),
        ("password", "Xx1!alice-Xx1!"),
        ("password", "Aa1!" + "x" * 130),
    ],
)
def test_bad_input_is_refused_and_nobody_is_created(field: str, value: str) -> None:
    typed = TYPED | {field: value} | ({"again": value} if field == "password" else {})
    assert Client().post("/register", typed).status_code == 422
    service = {k: typed[k] for k in ("username", "email", "password")}
    with pytest.raises(Refused):
        register_owner(**service)
    assert not User.objects.exists()


@pytest.mark.django_db
def test_two_different_passwords_are_refused() -> None:
    answer = Client().post("/register", TYPED | {"again": "Other-Horse-7"})
    assert answer.status_code == 422 and b"not the same" in answer.content

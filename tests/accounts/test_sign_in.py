from __future__ import annotations

from datetime import UTC, datetime

import pytest
import time_machine
from django.test import Client

from accounts.models import User
from algomirror.ops.models import Alarm
from tests.accounts.cast import PASSWORD

pytestmark = pytest.mark.django_db


def sign_in(client: Client, *, address: str = "10.0.0.1", **typed: str) -> int:
    return client.post("/login", {"username": "alice", "password": PASSWORD} | typed, REMOTE_ADDR=address).status_code


def test_the_right_password_opens_and_goes_where_one_wanted(alice: User) -> None:
    client = Client()
    answer = client.post("/login", {"username": "alice", "password": PASSWORD, "next": "/accounts"})
    assert answer.headers["Location"] == "/accounts"
    assert client.get("/accounts").status_code == 200


@pytest.mark.parametrize(
    "target", ["https://evil.test/", "//evil.test/", "/\\evil.test", "javascript:alert(1)", "evil", "///evil.test"]
)
def test_the_return_address_is_a_local_path_or_nothing(alice: User, target: str) -> None:
    answer = Client().post("/login", {"username": "alice", "password": PASSWORD, "next": target})
    assert answer.headers["Location"] == "/dashboard"


def test_a_session_ends_with_the_browser_unless_one_asks_to_be_remembered(alice: User) -> None:
    short, long = Client(), Client()
    assert sign_in(short) == 302 and short.session.get_expire_at_browser_close()
    assert sign_in(long, remember="on") == 302
    assert not long.session.get_expire_at_browser_close() and long.session.get_expiry_age() == 30 * 24 * 3600


def test_a_wrong_password_says_nothing_about_the_name(alice: User) -> None:
    known = Client().post("/login", {"username": "alice", "password": "wrong"}).content
    unknown = Client().post("/login", {"username": "zorro", "password": "wrong"}).content
    assert b"zorro" in unknown
    assert known.count(b"form-errors") == unknown.count(b"form-errors") == 1


def test_ten_attempts_a_minute_from_one_address(alice: User) -> None:
    client = Client()
    # Counted in windows of a minute by the wall clock: it stands still here.
    with time_machine.travel(datetime.now(UTC), tick=False):
        assert [sign_in(client, username=f"n{i}", password="x") for i in range(11)] == [422] * 10 + [429]
    assert sign_in(client, address="10.0.0.2") == 302


def test_ten_failures_lock_the_name_and_ring(alice: User) -> None:
    client = Client()
    for number in range(10):
        assert sign_in(client, address=f"10.0.1.{number}", password="wrong") == 422
    assert sign_in(client, address="10.0.2.1") == 422
    assert Alarm.objects.get().kind == "SIGN_IN_LOCKED"


def test_nine_failures_and_a_success_do_not(alice: User) -> None:
    client = Client()
    for number in range(9):
        sign_in(client, address=f"10.0.1.{number}", password="wrong")
    assert sign_in(client, address="10.0.2.1") == 302
    assert sign_in(Client(), address="10.0.2.2", password="wrong") == 422
    assert not Alarm.objects.exists()


def test_signing_out_takes_a_post(alice: User) -> None:
    client = Client()
    client.force_login(alice)
    assert client.get("/logout").status_code == 405
    assert client.post("/logout").headers["Location"] == "/"
    assert client.get("/accounts").status_code == 302


def test_someone_signed_in_does_not_see_the_gate(alice: User) -> None:
    client = Client()
    client.force_login(alice)
    assert client.get("/").headers["Location"] == "/dashboard"
    assert client.get("/login").headers["Location"] == "/dashboard"


def test_the_admin_uses_the_same_door(alice: User) -> None:
    assert Client().get("/admin/login/").headers["Location"].startswith("/login")

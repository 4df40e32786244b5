from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from accounts import totp
from accounts.models import Account, RecoveryCode, SecondFactor, User
from accounts.services import second_factor
from algomirror.kernel.clock import FrozenClock
from algomirror.kernel.errors import Conflict, Refused
from algomirror.ops.models import Alarm, Journal
from tests import cast
from tests.page_rules import inline_parts
from tests.security.enrolled import enrol, secret_of, shown, sign_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_rest")]

RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


@pytest.mark.parametrize(
    ("second", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037")],
)
def test_codes_are_those_of_the_standard(second: int, code: str) -> None:
    assert totp.code_at(RFC_SECRET, second // 30) == code


@pytest.mark.parametrize(("steps_off", "opens"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_off_by_one_step(alice: User, at_rest: FrozenClock, steps_off: int, opens: bool) -> None:
    enrol(alice)
    at_rest.advance(300)
    assert second_factor.check(alice, shown(alice, steps_off=steps_off)) is opens


def test_a_code_opens_once_and_no_older_one_opens_after_it(alice: User, at_rest: FrozenClock) -> None:
    enrol(alice)
    assert not second_factor.check(alice, shown(alice)), "enrolment used it"
    at_rest.advance(300)
    earlier, now = shown(alice, steps_off=-1), shown(alice)
    assert [second_factor.check(alice, c) for c in (now, now, earlier)] == [True, False, False]


@pytest.mark.parametrize("typed", ["", "000000", "12345", "1234567", "abcdef", "１２３４５６", "x" * 400, "\x00"])
def test_nonsense_opens_nothing(alice: User, typed: str) -> None:
    enrol(alice)
    assert second_factor.check(alice, typed) is False


@pytest.mark.django_db(transaction=True)
def test_one_code_at_the_same_moment_opens_one_door(alice: User, at_rest: FrozenClock) -> None:
    codes = enrol(alice)
    at_rest.advance(300)
    for code in (shown(alice), codes[0]):

        def opening(_: int, code: str = code) -> bool:
            try:
                return second_factor.check(alice, code)
            finally:
                connection.close()

        with ThreadPoolExecutor(4) as pool:
            assert sorted(pool.map(opening, range(4))) == [False, False, False, True]


def test_recovery_codes_open_once_each_and_are_kept_as_hashes(alice: User) -> None:
    codes = enrol(alice)
    assert len(set(codes)) == 10 and all(len(c) == 19 for c in codes)
    assert second_factor.check(alice, codes[3].upper().replace("-", " "))
    assert not second_factor.check(alice, codes[3])
    assert second_factor.codes_left(alice) == 9
    assert not any(c in repr(list(RecoveryCode.objects.values())) for c in codes)


def test_one_person_s_code_opens_nothing_for_another(alice: User, bob: User, at_rest: FrozenClock) -> None:
    codes = enrol(alice)
    enrol(bob)
    at_rest.advance(300)
    assert not second_factor.check(bob, shown(alice)) and not second_factor.check(bob, codes[0])


def test_enrolment_through_the_pages(alice: User, at_rest: FrozenClock) -> None:
    client, other = cast.signed_in(alice), Client()
    sign_in(other, alice)
    assert not SecondFactor.objects.exists()
    assert b"Make a key" in client.get("/profile/second-factor").content
    page = client.post("/profile/second-factor")
    assert secret_of(alice).encode() in page.content and b"<svg" in page.content and inline_parts(page) == []
    wrong = client.post("/profile/second-factor/confirm", {"code": "000000"})
    assert wrong.status_code == 422 and not second_factor.is_enrolled(alice)
    done = client.post("/profile/second-factor/confirm", {"code": shown(alice), "next": "/ticket"})
    assert done.status_code == 200 and done.content.count(b"<li><code>") == 10 and b'href="/ticket"' in done.content
    assert other.get("/accounts").status_code == 302, "a browser that came in by the password alone is out"
    assert secret_of(alice).encode() not in client.get("/profile/second-factor").content
    with pytest.raises(Conflict):
        second_factor.begin(alice)


def test_sign_in_asks_for_the_code_and_opens_nothing_before(alice: User, at_rest: FrozenClock) -> None:
    enrol(alice)
    at_rest.advance(60)
    client = Client()
    assert sign_in(client, alice, next="/accounts") == "/login/code"
    assert client.get("/accounts").status_code == 302
    assert b"authenticator" in client.get("/login/code").content
    assert client.post("/login/code", {"code": "000000"}).status_code == 422
    assert client.post("/login/code", {"code": shown(alice)}).headers["Location"] == "/accounts"
    assert client.get("/accounts").status_code == 200


def test_the_code_is_asked_for_five_minutes_and_not_after_a_new_password(alice: User, at_rest: FrozenClock) -> None:
    enrol(alice)
    client = Client()
    sign_in(client, alice)
    at_rest.advance(301)
    assert client.post("/login/code", {"code": shown(alice)}).headers["Location"] == "/login"
    sign_in(client, alice)
    alice.set_password("Another-Horse-8")
    alice.save()
    assert client.post("/login/code", {"code": shown(alice)}).headers["Location"] == "/login"
    assert Client().get("/login/code").headers["Location"] == "/login"


def test_guessing_codes_locks_the_name_although_the_password_is_right(alice: User, at_rest: FrozenClock) -> None:
    enrol(alice)
    at_rest.advance(60)
    for number in range(10):
        client = Client(REMOTE_ADDR=f"10.0.1.{number}")
        sign_in(client, alice, address=f"10.0.1.{number}")
        assert client.post("/login/code", {"code": "000000"}).status_code == 422
    assert Alarm.objects.get().kind == "SIGN_IN_LOCKED"
    assert client.post("/login/code", {"code": shown(alice)}).status_code == 422
    assert sign_in(Client(), alice, address="10.0.9.1") == ""


def test_who_may_trade_enrols_before_new_risk_once_an_account_is_live(alice: User, tara: User, bob: User) -> None:
    paper = cast.account(owner=alice)
    assert not any(map(second_factor.is_missing, (alice, tara, bob)))
    Account.objects.filter(pk=paper.pk).update(mode="LIVE")
    assert [second_factor.is_missing(u) for u in (alice, tara, bob)] == [True, True, False]
    client = cast.signed_in(tara)
    assert client.get("/ticket").headers["Location"] == "/profile/second-factor?next=/ticket"
    assert client.post("/ticket/send").headers["Location"] == "/profile/second-factor"
    assert client.post("/runs/start", headers={"HX-Request": "true"}).headers["HX-Redirect"] == "/profile/second-factor"
    refused = client.post("/api/v1/ticket/send", {}, content_type="application/json")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "SECOND_FACTOR_REQUIRED")
    assert b"required" in client.get("/profile/second-factor").content
    enrol(tara)
    assert client.get("/ticket").status_code == 200


WAYS_OUT = (
    "/risk/kill",
    "/orders/cancel",
    "/positions/close",
    "/runs/1/exit",
    "/runs/1/accounts/1/exit",
    "/strategies/1/entries",
)


@pytest.mark.parametrize("path", [*WAYS_OUT, "/api/v1/risk/kill", "/api/v1/orders/1/cancel", "/api/v1/runs/1/exit"])
def test_the_way_out_is_open_without_it(alice: User, path: str) -> None:
    cast.account(owner=alice, mode="LIVE")
    answer = cast.signed_in(alice).post(path)
    assert "second-factor" not in answer.headers.get("Location", "")
    assert b"SECOND_FACTOR" not in answer.content


def test_it_is_taken_off_with_a_code_and_not_while_an_account_is_live(alice: User, at_rest: FrozenClock) -> None:
    enrol(alice)
    at_rest.advance(60)
    client = cast.signed_in(alice)
    assert client.post("/profile/second-factor/remove", {"code": "000000"}).status_code == 422
    live = cast.account(owner=alice, mode="LIVE")
    with pytest.raises(Refused, match="live"):
        second_factor.remove(alice, shown(alice))
    Account.objects.filter(pk=live.pk).update(mode="PAPER")
    assert client.post("/profile/second-factor/remove", {"code": shown(alice)}).status_code == 302
    assert not SecondFactor.objects.exists() and not RecoveryCode.objects.exists()


def test_new_recovery_codes_end_the_old_ones(alice: User, at_rest: FrozenClock) -> None:
    old = enrol(alice)
    at_rest.advance(60)
    page = cast.signed_in(alice).post("/profile/second-factor/codes", {"code": shown(alice)})
    assert page.content.count(b"<li><code>") == 10
    assert not second_factor.check(alice, old[0])


def test_the_owner_takes_another_s_off_and_the_server_takes_the_owner_s(alice: User, tara: User) -> None:
    enrol(alice)
    enrol(tara)
    with pytest.raises(Refused):
        second_factor.reset(tara, alice.pk)
    with pytest.raises(Refused):
        second_factor.reset(alice, alice.pk)
    second_factor.reset(alice, tara.pk)
    assert not second_factor.is_enrolled(tara) and second_factor.is_enrolled(alice)
    call_command("reset_second_factor", "--username=alice", stdout=io.StringIO())
    assert not second_factor.is_enrolled(alice)
    with pytest.raises(CommandError):
        call_command("reset_second_factor", "--username=alice")


def test_everything_about_it_is_journaled_without_its_secrets(alice: User, at_rest: FrozenClock) -> None:
    codes = enrol(alice)
    second_factor.check(alice, codes[0])
    rows = repr(list(Journal.objects.values()))
    assert "user.second_factor" in rows and "user.recovery_code_used" in rows
    assert secret_of(alice) not in rows and not any(c in rows for c in codes)

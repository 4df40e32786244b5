from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.test import Client

from accounts.models import User
from algomirror.frame.security import client_address
from algomirror.ops import queue
from tests import cast
from tests.cast import FRIDAY

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def within_one_window() -> Iterator[None]:
    """The limits count in windows of a minute by the wall clock: it stands still here."""
    with time_machine.travel(FRIDAY, tick=False):
        yield


@pytest.fixture
def low(settings: Any) -> None:
    settings.RATE_GLOBAL, settings.RATE_AUTH, settings.RATE_API, settings.RATE_HEAVY = "8/m", "3/m", "4/m", "2/m"


def codes(client: Client, path: str, count: int, method: str = "get", **extra: Any) -> list[int]:
    return [getattr(client, method)(path, **extra).status_code for _ in range(count)]


def test_the_defaults_are_those_of_the_product(settings: Any) -> None:
    found = (settings.RATE_GLOBAL, settings.RATE_AUTH, settings.RATE_API, settings.RATE_HEAVY)
    assert found == ("1000/m", "10/m", "100/m", "20/m")


def test_one_address_gets_so_many_and_then_a_page_that_helps(alice: User, low: None) -> None:
    client = cast.signed_in(alice)
    assert codes(client, "/profile", 9) == [200] * 8 + [429]
    answer = client.get("/profile")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert b"Kill switch" in answer.content and answer.headers["Retry-After"].encode() in answer.content
    assert client.get("/profile", REMOTE_ADDR="10.0.0.7").status_code == 200


@pytest.mark.parametrize("path", ["/login", "/register", "/invite/x", "/login/code", "/profile/password"])
def test_the_gate_is_narrower(alice: User, low: None, path: str) -> None:
    client = cast.signed_in(alice) if path.startswith("/profile") else Client()
    assert 429 not in codes(client, path, 3, "post")
    assert client.post(path).status_code == 429
    assert client.get(path).status_code != 429, "looking at a form is no attempt"


def test_the_api_counts_by_user_or_token_and_says_it_in_json(alice: User, bob: User, low: None, settings: Any) -> None:
    settings.RATE_GLOBAL = "1000/m"
    client = cast.signed_in(alice)
    assert codes(client, "/api/v1/me", 4) == [200] * 4
    answer = client.get("/api/v1/me")
    assert answer.status_code == 429 and answer.json()["error"]["code"] == "THROTTLED"
    assert answer.json()["error"]["retry_after"] == int(answer.headers["Retry-After"])
    assert cast.signed_in(bob).get("/api/v1/me").status_code == 200
    tokens = [Client(headers={"Authorization": f"Bearer {name}"}) for name in ("one", "two")]
    assert 429 in codes(tokens[0], "/api/v1/me", 5) and tokens[1].get("/api/v1/me").status_code != 429


def test_what_makes_others_work_is_narrower_still(alice: User, low: None) -> None:
    client = cast.signed_in(alice)
    assert codes(client, "/activity.csv", 3) == [200, 200, 429]
    assert client.post("/readiness/run").status_code == 429, "all costly acts count together"
    assert client.get("/activity").status_code == 200


WAYS_OUT = [
    "/risk/kill", "/orders/cancel", "/positions/close", "/runs/1/exit", "/runs/1/accounts/1/exit", "/alerts/1/ack",
    "/api/v1/risk/kill", "/api/v1/orders/1/cancel", "/api/v1/orders/cancel-all", "/api/v1/positions/1/close",
    "/api/v1/runs/1/exit", "/api/v1/accounts/1/flatten", "/api/v1/alerts/1/ack",
]  # fmt: skip


@pytest.mark.parametrize("path", WAYS_OUT)
def test_the_way_out_is_never_limited(alice: User, low: None, path: str) -> None:
    client = cast.signed_in(alice)
    codes(client, "/profile", 9)
    assert client.get("/profile").status_code == 429
    assert 429 not in codes(client, path, 6, "post")


def test_parts_of_open_pages_refresh_for_whoever_is_signed_in(alice: User, low: None) -> None:
    client, stranger = cast.signed_in(alice), Client()
    part = {"HX-Request": "true"}
    assert codes(client, "/dashboard/body", 12, headers=part) == [200] * 12
    assert stranger.get("/dashboard/body", headers=part).status_code == 429


def test_health_is_never_limited(low: None) -> None:
    assert codes(Client(), "/healthz", 12) == [200] * 12


def test_a_dead_redis_limits_nobody(alice: User, low: None, settings: Any) -> None:
    settings.CACHES = settings.CACHES | {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:9/0"}
    }
    assert codes(cast.signed_in(alice), "/profile", 12) == [200] * 12
    queue.client().ping()


@pytest.mark.parametrize(
    ("near", "said", "who"),
    [
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "6.6.6.6", "10.0.0.1"),
        ("192.168.7.1", "", "192.168.7.1"),
        ("192.168.7.1", "6.6.6.6", "6.6.6.6"),
        ("192.168.7.1", "1.1.1.1, 6.6.6.6", "6.6.6.6"),
        ("192.168.7.1", "6.6.6.6, 192.168.7.1", "6.6.6.6"),
        ("192.168.7.1", "6.6.6.6, nonsense", "192.168.7.1"),
        ("192.168.7.1", "192.168.7.1", "192.168.7.1"),
        ("", "6.6.6.6", ""),
        ("nonsense", "", ""),
        ("fe80::1%eth0", "", "fe80::1"),
    ],
)
def test_only_our_own_proxy_may_say_who_is_asking(settings: Any, near: str, said: str, who: str) -> None:
    settings.TRUSTED_PROXIES = ["192.168.7.1"]
    assert client_address({"REMOTE_ADDR": near, "HTTP_X_FORWARDED_FOR": said}) == who


@pytest.mark.parametrize(("length", "status"), [("5000000", 400), ("5000001", 413), ("9" * 40, 413), ("-1", 413), ("x", 413)])
def test_a_body_that_is_too_large_is_turned_away_unread(alice: User, length: str, status: int) -> None:
    answer = cast.signed_in(alice).post("/logout", b"x", content_type="text/plain", CONTENT_LENGTH=length)
    assert answer.status_code in ((status,) if status == 413 else (302, 400))


def test_a_form_that_is_too_large_is_turned_away(alice: User) -> None:
    answer = cast.signed_in(alice).post("/profile/password", {"present": "x" * 1_100_000})
    assert answer.status_code == 400

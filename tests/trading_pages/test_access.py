"""Who sees the trading pages, who may press, and what reading them changes."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import User
from tests import cast, page_rules

PAGES = ["/orders", "/orders/rows", "/trades", "/trades/rows", "/positions", "/positions/rows"]
ACTS = ["/orders/cancel", "/positions/close", "/orders/sync"]


@pytest.fixture
def a_day_of_trading() -> None:
    anil = cast.account()
    condor = cast.book(anil, cast.run())
    for state in ("INITIALIZED", "UNKNOWN", "REJECTED", "CANCELED"):
        cast.order(condor, state=state, reason="RMS: margin <short>")
    cast.position(condor)
    cast.outside_order(anil)
    cast.read(anil, "POSITIONS", [cast.shown(cast.CALL, -130)], error="TIMEOUT: no answer")
    cast.read(anil, "ORDERS", error="TIMEOUT: no answer")
    cast.quote(f"NFO:{cast.CALL}", "101.00")


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("who", [cast.alice, cast.bob])
def test_every_page_answers_for_who_may_look_with_and_without_data(path: str, who: object, a_day_of_trading: None) -> None:
    assert callable(who)
    assert cast.signed_in(who()).get(path).status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_every_page_answers_on_an_empty_installation(path: str) -> None:
    response = cast.signed_in(cast.alice()).get(path)
    assert response.status_code == 200
    assert page_rules.inline_parts(response) == []


@pytest.mark.parametrize("path", [*PAGES, *ACTS])
def test_charlie_is_sent_to_sign_in(path: str) -> None:
    response = Client().get(path)
    assert response.status_code in (302, 405)
    if response.status_code == 302:
        assert response["Location"].startswith("/login")


@pytest.mark.parametrize("path", ACTS)
def test_bob_may_press_nothing(path: str) -> None:
    assert cast.signed_in(cast.bob()).post(path, {"order": 1, "target": "book:1", "idempotency_key": "k"}).status_code == 403


@pytest.mark.parametrize("path", ["/orders", "/positions", "/trades"])
def test_bob_is_offered_no_button_that_he_may_not_press(path: str, a_day_of_trading: None) -> None:
    page = page_rules.text_of(cast.signed_in(cast.bob()).get(path))
    for address in ACTS:
        assert f'"{address}' not in page


def test_a_risk_officer_may_cancel_and_close() -> None:
    dana = User.objects.create(username="dana", email="dana@example.com", role=User.Role.RISK)
    row = cast.order(cast.book(cast.account()), state="INITIALIZED")
    answer = cast.signed_in(dana).post("/orders/cancel", {"order": row.pk, "idempotency_key": "k1"})
    row.refresh_from_db()
    assert (answer.status_code, row.state) == (302, "DENIED")


@pytest.mark.parametrize("path", PAGES)
def test_reading_changes_no_row(path: str, a_day_of_trading: None) -> None:
    alice = cast.signed_in(cast.alice())
    alice.get(path)
    before = page_rules.world()
    alice.get(path)
    assert page_rules.world() == before


@pytest.mark.parametrize("path", PAGES)
def test_no_page_carries_anything_inline(path: str, a_day_of_trading: None) -> None:
    assert page_rules.inline_parts(cast.signed_in(cast.alice()).get(path)) == []


@pytest.mark.parametrize("path", ACTS)
def test_a_get_never_acts(path: str, a_day_of_trading: None) -> None:
    alice = cast.signed_in(cast.alice())
    before = page_rules.world()
    alice.get(path, {"order": 1, "target": "book:1"})
    assert page_rules.world() == before


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/orders", {"account": "x", "run": "-", "day": "yesterday", "state": "maybe"}),
        ("/trades", {"account": "999999", "day": "2026-99-99"}),
        ("/positions", {"account": "'; drop", "run": "999999999999999999999999"}),
    ],
)
def test_a_filter_that_is_not_understood_is_named_and_narrows_nothing(
    path: str, asked: dict[str, str], a_day_of_trading: None
) -> None:
    response = cast.signed_in(cast.alice()).get(path, asked)
    page = page_rules.text_of(response)
    assert response.status_code == 200
    assert page.count("field-error") == len(asked)
    assert cast.CALL in page

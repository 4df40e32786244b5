"""One click asks once; the answer is the order's row."""

from __future__ import annotations

import pytest

from algomirror.ops.models import Journal
from tests import cast, page_rules


def press(**body: object) -> object:
    return cast.signed_in(cast.alice()).post("/orders/cancel", body, headers={"HX-Request": "true"})


def test_an_order_that_was_not_sent_is_never_sent() -> None:
    row = cast.order(cast.book(cast.account()), state="INITIALIZED")
    answer = press(order=row.pk, idempotency_key="k1")
    row.refresh_from_db()
    assert row.state == "DENIED"
    assert "will not be" in page_rules.text_of(answer)  # type: ignore[arg-type]
    assert Journal.objects.get(kind="order", moved_to="DENIED").actor == "user:alice"


def test_a_cancel_that_never_left_is_said_and_the_order_stays_working() -> None:
    row = cast.order(cast.book(cast.account()), state="ACCEPTED")
    answer = press(order=row.pk, idempotency_key="k1")
    row.refresh_from_db()
    assert row.state == "ACCEPTED"
    assert "could not be cancelled now" in page_rules.text_of(answer)  # type: ignore[arg-type]
    moves = list(Journal.objects.filter(kind="order").order_by("id").values_list("moved_from", "moved_to"))
    assert moves == [("ACCEPTED", "PENDING_CANCEL"), ("PENDING_CANCEL", "ACCEPTED")]


@pytest.mark.parametrize("state", ["FILLED", "CANCELED", "REJECTED", "PENDING_CANCEL", "UNKNOWN"])
def test_nothing_is_asked_for_an_order_that_cannot_be_cancelled(state: str) -> None:
    row = cast.order(cast.book(cast.account()), state=state)
    assert press(order=row.pk, idempotency_key="k1").status_code == 200  # type: ignore[attr-defined]
    row.refresh_from_db()
    assert row.state == state
    assert not Journal.objects.filter(kind="order").exists()


@pytest.mark.parametrize(
    "body", [{}, {"order": "x", "idempotency_key": "k"}, {"order": "1"}, {"order": "-1", "idempotency_key": "k"}]
)
def test_a_form_that_is_not_understood_does_nothing_and_says_which_field(body: dict[str, str]) -> None:
    answer = press(**body)
    assert answer.status_code == 422  # type: ignore[attr-defined]
    assert "nothing was done" in page_rules.text_of(answer)  # type: ignore[arg-type]


def test_the_page_without_scripts_names_what_will_be_cancelled() -> None:
    row = cast.order(cast.book(cast.account(mode="LIVE")))
    answer = cast.signed_in(cast.alice()).get("/orders/cancel", {"order": row.pk})
    shown = page_rules.text_of(answer)
    assert f"Cancels SELL 65 of 65 {cast.CALL} NRML in Zerodha Anil (LIVE)." in shown
    assert "idempotency_key" in shown
    assert page_rules.inline_parts(answer) == []


@pytest.mark.parametrize("number", ["", "x", "0", "99", "9" * 40])
def test_the_page_of_an_order_that_does_not_exist_is_not_found(number: str) -> None:
    assert cast.signed_in(cast.alice()).get("/orders/cancel", {"order": number}).status_code == 404

"""The OpenAPI document is made from the code; a generated attack on all of it finds no server error."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from django.test import Client
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error

from algomirror import api
from algomirror.frame.security_limits import NEVER
from algomirror.ops.api.doors import Door
from tests.api.caller import BASE, Caller, account
from tests.page_rules import inline_parts, world
from tests.strategies import stage

UNSAFE = ("post", "put", "patch", "delete")


def _doors() -> list[tuple[str, type[Door]]]:
    found = []
    for included in api.endpoints:
        for one in included.url_patterns:
            found.append((str(one.pattern), one.callback.view_class))
    return found


def test_every_door_is_one_of_ours_and_in_the_document() -> None:
    paths = api.document()["paths"]
    assert len(paths) == len(_doors()) >= 60
    assert all(issubclass(door, Door) for _, door in _doors())
    assert api.document()["openapi"].startswith("3.1")


def test_no_two_operations_share_a_name() -> None:
    names = [one["operationId"] for methods in api.document()["paths"].values() for one in methods.values()]
    assert len(names) == len(set(names)) and {"get_orders", "get_orders_id", "post_orders_id_cancel"} <= set(names)


def test_times_are_utc_as_the_document_says(owner: Caller) -> None:
    rows = owner.get("journal", limit=1).json()["results"]
    assert rows[0]["at"].endswith("Z")


def test_every_unsafe_method_acts_once_per_key_and_wants_a_scope() -> None:
    for path, door in _doors():
        for method in UNSAFE:
            handler = getattr(door, method, None)
            if handler is not None:
                assert getattr(handler, "is_command", False), f"{method} {path}"
                # Watching a chain changes what we ask prices of, and nothing else.
                assert door.writes in ("trade", "exit", "admin") or path.startswith("chain-sessions"), path


def test_what_leads_out_of_the_market_is_never_rationed() -> None:
    only_state = {"accounts/<int:pk>/state", "accounts/<int:pk>/refresh", "reconciliation/run"}
    out = [path for path, door in _doors() if hasattr(door, "post") and door.writes == "exit" and path not in only_state]
    assert len(out) >= 7
    assert [path for path in out if not NEVER.match(BASE + path.replace("<int:pk>", "7"))] == []


def test_reads_leave_every_row_alone(owner: Caller) -> None:
    run = stage.started([account(1)])
    owner.get("me")  # the first use of a token is noted
    before = world()
    for path, door in _doors():
        if hasattr(door, "get"):
            where = path.replace("<int:pk>", str(run.pk)).replace("<slug:kind>", "funds").replace("<slug:key>", "none")
            answer = owner.get(where.replace("<slug:public_id>", "none"))
            assert answer.status_code in (200, 400, 404), (where, answer.content)
    assert world() == before


def test_decimals_are_texts_and_pages_follow_a_cursor(owner: Caller) -> None:
    run = stage.started([account(1)])
    first = owner.get("orders", run=run.pk, limit=3).json()
    assert len(first["results"]) == 3 and isinstance(first["results"][0]["price"], str)
    rest = owner.client.get(first["next"], headers={"Authorization": f"Bearer {owner.secret}"}).json()
    ids = [row["id"] for row in first["results"] + rest["results"]]
    assert ids == sorted(ids, reverse=True) and len(ids) == 4 and rest["next"] is None
    assert owner.get("orders", cursor="cD1ub3RhbnVtYmVy").status_code == 404


def test_the_market_is_read_with_its_ages(owner: Caller) -> None:
    key = stage.option(24050, "CE")
    body = owner.get("market/quotes", symbols=f"{key},NFO:NONE").json()
    assert body["missing"] == ["NFO:NONE"] and body["quotes"][0]["fresh"] is True
    chain = owner.get("market/chain", underlying="NIFTY", expiry=stage.WEEK.isoformat(), width=2).json()
    assert [row["is_atm"] for row in chain["rows"]].count(True) == 1 and chain["atm"] == "24050.00"
    assert owner.get("market/expiries", underlying="NIFTY").json()["slots"]["CURRENT_WEEK"] == stage.WEEK.isoformat()
    assert {row["exchange"] for row in owner.get("market/status").json()} == {"NSE", "BSE", "NFO", "BFO"}
    assert owner.get("market/instruments", q="24050CE").json()["results"][0]["slice_units"] == 1755


def test_unknown_paths_and_methods_have_the_one_shape(owner: Caller) -> None:
    for answer in (owner.get("nothing/here"), owner.send("DELETE", "orders"), owner.post("nothing")):
        assert answer.status_code in (404, 405)
        assert set(answer.json()["error"]) == {"code", "message", "fields", "request_id"}


def test_the_page_of_the_document_keeps_the_content_policy() -> None:
    client = Client()
    client.force_login(stage.alice())
    page = client.get("/api/v1/docs")
    assert page.status_code == 200 and inline_parts(page) == []
    assert b"/api/v1/runs/{id}/exit" in page.content or b"/api/v1/runs/{pk}/exit" in page.content


def _operations() -> list[Any]:
    schema = schemathesis.openapi.from_dict(api.document())
    return [operation.ok() for operation in schema.get_all_operations()]


@pytest.mark.parametrize("operation", _operations(), ids=lambda one: f"{one.method.upper()} {one.path}")
def test_no_generated_request_makes_a_server_error(operation: Any, owner: Caller) -> None:
    one = account(1)
    token = {"Authorization": f"Bearer {owner.secret}"}

    @settings(
        max_examples=8,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def attack(case: Any) -> None:
        path = case.formatted_path.replace("%00", "")
        body = case.body if isinstance(case.body, (dict, list, str, int, float, bool, type(None))) else None
        for headers in (token | {"Idempotency-Key": f"k{abs(hash((path, repr(body))))}"},):
            answer = owner.client.generic(
                case.method.upper(),
                path,
                _text(body),
                content_type="application/json",
                headers=headers,
                query_params=_plain(case.query),
            )
            assert answer.status_code < 500, (case.method, path, body, answer.content[:300])

    owner.client.raise_request_exception = True
    import hypothesis

    hypothesis.given(case=operation.as_strategy())(attack)()
    assert one.pk and not_a_server_error


def _text(body: Any) -> str:
    import json

    try:
        return json.dumps(body, allow_nan=False)
    except (TypeError, ValueError):
        return "{"


def _plain(query: Any) -> dict[str, str]:
    return {str(k): str(v) for k, v in (query or {}).items()}

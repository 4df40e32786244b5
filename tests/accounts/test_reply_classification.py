from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.gateway.classify import classify, classify_change
from accounts.gateway.reports import NoReply, RawReply, Verdict
from tests.accounts.classification import CASES, Case, table

ROOT = Path(__file__).resolve().parents[2]
RECORDINGS = ROOT / "tests" / "contracts" / "recordings"
FINAL_NO = {Verdict.REFUSED, Verdict.NOT_SENT}


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.what)
def test_each_reply_to_a_placement_has_its_verdict(case: Case) -> None:
    reply = classify(case.outcome)
    assert (reply.verdict, reply.broker_order_id, reply.mode) == (case.verdict, case.order_id, case.mode)
    assert reply.key_refused == (case.what == "403, key refused")


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.what)
def test_each_reply_to_a_cancel_or_modify_has_its_verdict(case: Case) -> None:
    assert classify_change(case.outcome).verdict == (case.change or case.verdict)


def recorded_order_calls() -> Iterator[tuple[str, str, int, Any]]:
    for path in sorted(RECORDINGS.glob("rest-*.jsonl")):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            call = row.get("request", {}).get("path", "").removeprefix("/api/v1/")
            is_order_call = call in {"placeorder", "cancelorder", "modifyorder"} and "response" in row
            if is_order_call and row["request"]["method"] != "OPTIONS":
                yield f"{path.stem}: {row['name']}", call, row["response"]["status"], row["response"]["body"]


def expected_of_recording(call: str, status: int, body: Any) -> Verdict:
    """By hand from the recordings: what each status meant there, checked against the books recorded beside it."""
    if status == 200:
        return Verdict.ACCEPTED
    if status == 403 and body["message"] == "Invalid openalgo apikey":
        return Verdict.NOT_SENT
    if status == 429:
        return Verdict.NOT_SENT
    return Verdict.UNKNOWN if status >= 500 else Verdict.REFUSED


def test_every_recorded_order_call_is_classified() -> None:
    seen = 0
    for name, call, status, body in recorded_order_calls():
        judge = classify if call == "placeorder" else classify_change
        reply = judge(RawReply(status, body if isinstance(body, dict) else None, str(body)))
        assert reply.verdict == expected_of_recording(call, status, body), name
        if isinstance(body, dict) and body.get("orderid"):
            assert reply.broker_order_id == body["orderid"], name
        seen += 1
    assert seen > 80


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.decimals()
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4), max_leaves=12
)
known = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["success", "error", "SUCCESS", "partial", ""]) | anything,
        "orderid": st.sampled_from(["26112072682660", "", "null", None, 0, 7]) | anything,
        "message": st.sampled_from(["Invalid openalgo apikey", "timed out", "RMS", "Access Denied", "queued"]) | anything,
        "mode": st.sampled_from(["analyze", "live", "semi_auto"]) | anything,
        "errors": anything,
        "error": st.just("Access Denied") | anything,
        "data": st.fixed_dictionaries({"orderid": st.just("5") | anything}) | anything,
    },
)
raw = st.builds(
    RawReply,
    st.integers(100, 599) | st.sampled_from([200, 301, 302, 400, 403, 429, 500]),
    known | anything,
    st.sampled_from(["", "<html>", "redirect to /error", "redirect to https://h/api/v1/x", "Access Denied: Your IP"]),
)
outcomes = raw | st.builds(NoReply, st.booleans(), st.text(max_size=20), st.booleans())


@given(outcomes)
def test_no_reply_makes_it_raise(outcome: RawReply | NoReply) -> None:
    for judge in (classify, classify_change):
        reply = judge(outcome)
        assert reply.verdict in Verdict
        assert len(reply.text) <= 300
        assert reply.broker_order_id is None or 0 < len(reply.broker_order_id) <= 64


@given(outcomes)
def test_what_could_hide_a_live_order_is_never_a_plain_no(outcome: RawReply | NoReply) -> None:
    reply = classify(outcome)
    if isinstance(outcome, NoReply):
        assert (reply.verdict is Verdict.NOT_SENT) == (not outcome.reached)
        return
    body = outcome.body
    says_success = isinstance(body, dict) and str(body.get("status")).strip().lower() == "success"
    if outcome.http_status >= 500 or says_success or outcome.http_status < 200:
        assert reply.verdict not in FINAL_NO
    if reply.verdict is Verdict.REFUSED:
        assert isinstance(body, dict) and reply.text
        assert reply.broker_order_id is None or outcome.http_status >= 400
    if reply.verdict is Verdict.NOT_SENT:
        assert reply.broker_order_id is None
        assert outcome.http_status in {301, 302, 303, 307, 308, 401, 403, 429}
    if reply.verdict is Verdict.ACCEPTED:
        assert says_success and reply.broker_order_id and 200 <= outcome.http_status < 300


def test_the_table_in_the_documentation_is_this_table() -> None:
    """Regenerate with: python -m tests.accounts.write_gateway_table"""
    text = (ROOT / "docs" / "GATEWAY.md").read_text()
    inside = text.split("<!-- classification -->")[1]
    assert inside.strip() == table()

"""Sizing of a plan: allocation, grades, broker and table, who is skipped and why, and margin held between runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx
import pytest

from accounts.gateway.directory import far_side
from accounts.gateway.openalgo import OpenAlgoGateway
from accounts.models import Account
from algomirror.kernel import clock
from algomirror.kernel.errors import Denied, Refused
from algomirror.ops.models import Journal
from risk.domain.limits import LimitTerms
from risk.models import AccountLimits, MarginReservation
from risk.services import daily, reserving
from strategies.domain.drafts import Draft, SizingTerms
from strategies.domain.sizes import decode_size, timetable
from strategies.models import Plan, Version
from strategies.services import build, preview, start
from tests.accounts.far import Httpx
from tests.strategies import stage
from trading.models import Book, Run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_now")]
D = Decimal


def version_of(accounts, *, legs=None, sizing=None, factors=None, name="Sized") -> Version:
    draft = Draft(
        name,
        "NRML",
        tuple(a.pk for a in accounts),
        tuple(legs or stage.condor()),
        LimitTerms(max_loss=D(5000)),
        sizing=sizing or SizingTerms(),
        factors={a.pk: D(str(f)) for a, f in zip(accounts, factors or [], strict=False)},
    )
    return build.save_strategy(stage.alice(), draft)


def plan_of(accounts, **more) -> Plan:
    return preview.preview(version_of(accounts, **more), accounts, user=stage.alice())


def lots(plan: Plan) -> dict[int, list[int]]:
    return {
        account: [row["lots"] for row in sorted(plan.lines, key=lambda r: r["leg"]) if row["account"] == account]
        for account in dict.fromkeys(row["account"] for row in plan.lines)
    }


def go(plan: Plan, key: str = "k") -> Run:
    return start.start(plan.key, digest=plan.digest, idempotency_key=key, by="user:alice")


@contextmanager
def a_broker_that_wants(rupees: Callable[[int], str | None], asked: list[dict[str, Any]] | None = None):
    """Every account's server answers the basket question with `rupees(lots of the first position)`."""

    def answer(request: httpx.Request) -> httpx.Response:
        import json

        body = json.loads(request.content)
        if asked is not None:
            asked.append(body)
        total = rupees(int(body["positions"][0]["quantity"]) // stage.LOT)
        if total is None:
            return httpx.Response(501, json={"status": "error", "message": "not supported"})
        return httpx.Response(200, json={"status": "success", "data": {"total_margin_required": float(total)}})

    def door(account: Account) -> OpenAlgoGateway:
        return OpenAlgoGateway(account.pk, "http://told.test", "k" * 20, transport=Httpx(httpx.MockTransport(answer)))

    with far_side(door):
        yield


def test_factors_multiply_each_account_and_keep_the_ratio():
    accounts = [stage.account(n) for n in (1, 2, 3)]
    legs = [replace(leg, lots=2) for leg in stage.condor()]
    plan = plan_of(accounts, legs=legs, factors=["0.5", "1.5", "1"])
    assert list(lots(plan).values()) == [[1] * 4, [3] * 4, [2] * 4]


def test_a_total_is_shared_by_ratio_with_the_remainder_shown():
    accounts = [stage.account(n) for n in (1, 2, 3)]
    plan = plan_of(accounts, sizing=SizingTerms(allocation="RATIO"), factors=[3, 2, 2])
    sizes = [decode_size(row) for row in plan.terms["sizes"]]
    assert [size.structures for size in sizes] == [1, 1, 1]
    assert [size.remainder for size in sizes] == [D("-0.29"), D("0.14"), D("0.14")]


def test_margin_decides_who_gets_more():
    accounts = [stage.account(1), stage.account(2)]
    stage.funds_read(accounts[1], 30_000_000)
    legs = [replace(leg, lots=4) for leg in stage.condor()]
    plan = plan_of(accounts, legs=legs, sizing=SizingTerms(allocation="AVAILABLE_MARGIN"))
    assert [row[0] for row in lots(plan).values()] == [2, 6]


def test_less_than_one_structure_is_skipped_and_said():
    accounts = [stage.account(1), stage.account(2)]
    plan = plan_of(accounts, factors=["1", "0.9"])
    assert [(row["account"], row["code"]) for row in plan.skipped] == [(accounts[1].pk, "QUANTITY_NOT_LOT_MULTIPLE")]


def test_too_little_margin_skips_that_account_only():
    rich, poor, dumb = stage.account(1), stage.account(2), stage.account(3)
    stage.funds_read(poor, 300_000)
    stage.funds_read(dumb, 10_000_000, age_s=5)
    plan = plan_of([rich, poor, dumb])
    assert [(row["account"], row["code"]) for row in plan.skipped] == [(poor.pk, "MARGIN_SHORT")]
    assert set(lots(plan)) == {rich.pk, dumb.pk}


def test_all_or_nothing_refuses_the_plan():
    rich, poor = stage.account(1), stage.account(2)
    stage.funds_read(poor, 300_000)
    with pytest.raises(Denied) as refused:
        plan_of([rich, poor], sizing=SizingTerms(shortfall="REFUSE_ALL"))
    assert refused.value.code == "MARGIN_SHORT"


def test_reduce_takes_what_fits():
    account = stage.account(1)
    stage.funds_read(account, 700_000)
    legs = [replace(leg, lots=4) for leg in stage.condor()]
    plan = plan_of([account], legs=legs, sizing=SizingTerms(shortfall="REDUCE"))
    assert lots(plan) == {account.pk: [2] * 4}
    assert decode_size(plan.terms["sizes"][0]).note == "reduced from 4"


def test_unknown_funds_deny_and_are_not_zero():
    account = stage.account(1)
    stage.funds_read(account, "", age_s=1)
    with pytest.raises(Denied) as refused:
        plan_of([account])
    assert refused.value.code == "MARGIN_UNKNOWN"


def test_a_grade_sizes_the_whole_structure_once():
    account = stage.account(1)
    stage.funds_read(account, 1_000_000)
    short = [stage.leg(1, "SELL", "OTM", "CE", 2)]
    plan = plan_of([account], legs=short, sizing=SizingTerms(mode="GRADE", grade="B"))
    size = decode_size(plan.terms["sizes"][0])
    assert (size.structures, plan.lines[0]["units"], size.needed) == (2, 130, D(500000))
    assert "short_single" in size.formula


def test_a_grade_that_carries_nothing_skips_with_margin_short():
    account = stage.account(1)
    stage.funds_read(account, 300_000)
    with pytest.raises(Denied) as refused:
        plan_of([account], legs=[stage.leg(1, "SELL", "OTM", "CE", 2)], sizing=SizingTerms(mode="GRADE", grade="C"))
    assert refused.value.code == "MARGIN_SHORT"


def trusted(n: int = 1, cash: int = 1_000_000) -> Account:
    account = stage.account(n, margin_trusted=True)
    stage.funds_read(account, cash)
    return account


SHORT = [stage.leg(1, "SELL", "OTM", "CE", 2)]


@pytest.mark.parametrize(("policy", "structures"), [("LOWER_OF_BOTH", 3), ("BROKER", 9), ("TABLE", 3)])
def test_broker_and_table_by_policy(policy, structures):
    account = trusted()
    with a_broker_that_wants(lambda k: str(100_000 * k)):
        plan = plan_of([account], legs=SHORT, sizing=SizingTerms(mode="GRADE", grade="A", policy=policy))
    size = decode_size(plan.terms["sizes"][0])
    assert size.structures == structures
    if policy != "TABLE":
        assert size.broker == 100_000 * structures and size.difference == 150_000 * structures


def test_a_dearer_broker_makes_fewer():
    account = trusted()
    asked: list[dict[str, Any]] = []
    with a_broker_that_wants(lambda k: str(400_000 * k), asked):
        plan = plan_of([account], legs=SHORT, sizing=SizingTerms(mode="GRADE", grade="A"))
    assert decode_size(plan.terms["sizes"][0]).structures == 2
    first = asked[0]["positions"][0]
    assert all(isinstance(first[name], str) for name in ("quantity", "price", "trigger_price")), "the server refuses numbers"


def test_a_trusted_broker_that_does_not_answer_denies():
    account = trusted()
    with a_broker_that_wants(lambda k: None), pytest.raises(Denied) as refused:
        plan_of([account], legs=SHORT)
    assert refused.value.code == "MARGIN_UNKNOWN"
    with a_broker_that_wants(lambda k: None):
        assert plan_of([account], legs=SHORT, sizing=SizingTerms(policy="TABLE"), name="By table").lines


def test_what_was_sized_is_what_is_sent():
    account = stage.account(1)
    stage.funds_read(account, 1_000_000)
    plan = plan_of([account], sizing=SizingTerms(mode="GRADE", grade="A"))
    run = go(plan)
    sent = {o.leg: o.units for book in Book.objects.filter(run=run) for o in book.orders.all()}
    assert sent == {row["leg"]: row["units"] for row in plan.lines}


def test_two_runs_never_spend_the_same_rupee():
    account = stage.account(1)
    stage.funds_read(account, 400_000)
    first = plan_of([account], legs=SHORT, name="First")
    second = plan_of([account], legs=[stage.leg(1, "SELL", "OTM", "PE", 2)], name="Second")
    run = go(first, "one")
    held = MarginReservation.objects.get(run=run)
    assert held.rupees == D(250000)
    with pytest.raises(Denied) as refused:
        go(second, "two")
    assert refused.value.code == "MARGIN_SHORT" and Run.objects.count() == 1


def test_a_reservation_ends_with_funds_read_after_the_entry(_now):
    account = stage.account(1)
    run = go(plan_of([account], legs=SHORT))
    assert reserving.sweep() == 0
    Run.objects.filter(pk=run.pk).update(state="OPEN")
    assert reserving.sweep() == 0, "the funds were read before the entry was over"
    _now.advance(1)
    stage.funds_read(account)
    assert reserving.sweep() == 1 and reserving.sweep() == 0
    assert Journal.objects.filter(kind="margin.released").count() == 1


def limited(account: Account, **limits) -> None:
    AccountLimits.objects.create(account=account, changed_at=clock.now(), changed_by="user:alice", **limits)


def test_a_grade_stops_at_the_lots_the_account_has_left():
    account = stage.account(1)
    limited(account, max_lots=20)
    size = decode_size(plan_of([account], sizing=SizingTerms(mode="GRADE", grade="A")).terms["sizes"][0])
    assert size.structures == 5 and "20 lots" in size.note


@pytest.mark.parametrize(
    ("limits", "code"),
    [({"max_lots": 3}, "MAX_LOTS"), ({"max_notional": D(1_000_000)}, "MAX_NOTIONAL"), ({"orders_per_day": 3}, "ORDER_RATE")],
)
def test_an_account_at_its_limit_is_skipped_and_the_others_go_on(limits, code):
    full, free = stage.account(1), stage.account(2)
    limited(full, **limits)
    plan = plan_of([full, free])
    assert [(row["account"], row["code"]) for row in plan.skipped] == [(full.pk, code)] and set(lots(plan)) == {free.pk}


def test_a_ceiling_on_utilisation_sizes_down_and_refuses():
    """10 lakh, 2 of them used: at 60 % in use 4 lakh are left, one structure of 3.2 lakh and its hedges."""
    a = stage.account(1)
    stage.funds_read(a, 800_000, used="200000")
    daily.set_limits(a, {"max_utilisation": 60}, by="user:alice")
    version = stage.saved([a], legs=stage.condor(2))
    with pytest.raises(Denied) as refused:
        preview.preview(version, [a], user=stage.alice())
    assert refused.value.code == "UTILISATION" and "60 %" in refused.value.message
    one = preview.preview(stage.saved([a], name="One"), [a], user=stage.alice())
    assert one.terms["sizes"][0]["structures"] == 1 and D(one.terms["sizes"][0]["free"]) == 400_000


def test_a_ceiling_that_came_after_the_preview_denies_the_send():
    a = stage.account(1)
    stage.funds_read(a, 800_000, used="200000")
    plan = preview.preview(stage.saved([a]), [a], user=stage.alice())
    daily.set_limits(None, {"max_utilisation": 30}, by="user:alice")
    with pytest.raises(Denied) as refused:
        start.start(plan.key, digest=plan.digest, idempotency_key="k", by="user:alice")
    assert refused.value.code == "UTILISATION" and not Run.objects.exists()


def test_an_unknown_used_margin_under_a_ceiling_denies():
    a = stage.account(1)
    stage.funds_read(a, 800_000, used="")
    daily.set_limits(a, {"max_utilisation": 90}, by="user:alice")
    with pytest.raises(Denied) as refused:
        preview.preview(stage.saved([a]), [a], user=stage.alice())
    assert refused.value.code == "MARGIN_UNKNOWN" and "how much margin is used" in refused.value.message


def test_charges_stand_in_the_plan():
    size = decode_size(plan_of([stage.account(1)], legs=SHORT).terms["sizes"][0])
    assert size.charges is not None and size.round_trip is not None and size.round_trip > size.charges > 20


def test_the_timetable_obeys_the_rate():
    assert timetable([3, 3, 3], 8) == [D(0), D(0), D(0)]
    assert timetable([8, 8, 1], 8) == [D(0), D("1.05"), D("2.10")]


@pytest.mark.parametrize(
    ("sizing", "factors", "field"),
    [
        (SizingTerms(mode="GRADE"), None, "grade"),
        (SizingTerms(mode="GRADE", grade="Z"), None, "grade"),
        (SizingTerms(allocation="PERCENT"), [50, 40], "factors"),
        (SizingTerms(allocation="CUSTOM"), [1, 2], "factors"),
        (SizingTerms(), [0, 1], "factors"),
    ],
)
def test_a_size_that_cannot_be_is_refused_when_saving(sizing, factors, field):
    with pytest.raises(Refused) as refused:
        version_of([stage.account(1), stage.account(2)], sizing=sizing, factors=factors)
    assert field in refused.value.fields

"""A guard that cannot be evaluated rings. The others of its run, and all other runs, are held against sweep and tick."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from accounts.gateway.directory import far_side
from algomirror.kernel import clock
from algomirror.ops.models import Alarm
from marketdata import quotes as store
from risk import selectors
from risk.domain import judges
from risk.domain.snapshot import Rule
from risk.domain.terms import LegTerms, Line, RiskTerms, Trail
from risk.models import RiskEvent, RunLimits
from risk.services import watch
from risk.services.fastguard import FastGuard
from tests.risk import desk
from tests.risk.families import leaving
from tests.strategies import stage

pytestmark = pytest.mark.django_db
D = Decimal
STOPPED = {1: LegTerms(stop=Line("POINTS", D(20)))}


@pytest.fixture(autouse=True)
def frozen(db: None) -> Iterator[Any]:
    with stage.at() as moving, far_side(desk.Deaf):  # type: ignore[arg-type]
        stage.market()
        desk.at_entry_now()
        yield moving


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(*args: Any) -> None:
        raise ArithmeticError("a broken rule")

    monkeypatch.setitem(judges.JUDGES, Rule.TRAILING_STOP, cannot)  # type: ignore[arg-type]


def two_runs() -> tuple[Any, Any]:
    one, two = desk.accounts(2)
    desk.a_run([one], RiskTerms(trail=Trail("AMOUNT", D(4000)), legs=STOPPED), name="Broken", max_loss=D(2000))
    desk.a_run([two], name="Whole", max_loss=D(2000))
    return one, two


@pytest.mark.usefixtures("broken")
def test_the_sweep_looks_at_the_other_guards_of_the_run() -> None:
    one, _ = two_runs()
    watch.sweep()
    desk.price(call=125)
    watch.sweep()
    assert leaving() == {one.pk} and RiskEvent.objects.get().kind == "LEG_STOP"
    assert "TRAILING_STOP" in Alarm.objects.get(kind="GUARD_FAILED").text


@pytest.mark.usefixtures("broken")
def test_the_tick_is_held_against_all_other_runs() -> None:
    _, two = two_runs()
    watch.sweep()
    fast = FastGuard()
    fast.reload()
    desk.price(call=150)
    suspects = fast.see(store.get([desk.CALL]), clock.now())
    assert suspects and all(fast.commit(run_id, clock.now()) for run_id in suspects)
    assert two.pk in leaving()


def test_terms_that_cannot_be_read_blind_their_run_only() -> None:
    """A row of a newer version, after somebody went back to the older one."""
    one, two = two_runs()
    RunLimits.objects.filter(run__name="Broken").update(terms={"trail": {"kind": "FROM_THE_FUTURE", "value": 1}})
    desk.price(call=150)
    watch.sweep()
    assert two.pk in leaving() and one.pk in leaving()
    assert Alarm.objects.filter(kind="GUARD_FAILED").exists()


def test_a_run_that_cannot_be_looked_at_at_all_rings(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = desk.accounts(2)
    bad, _ = desk.a_run([one], name="Broken", max_loss=D(2000)), desk.a_run([two], name="Whole", max_loss=D(2000))
    known = selectors.snapshot

    def snapshot(run: Any, *more: Any, **named: Any) -> Any:
        if run.run_id == bad.pk:
            raise ArithmeticError("a row nobody can read")
        return known(run, *more, **named)

    with monkeypatch.context() as broken:
        broken.setattr(selectors, "snapshot", snapshot)
        desk.price(call=160)
        watch.sweep()
    assert leaving() == {two.pk}
    alarm = Alarm.objects.get(kind="GUARD_FAILED")
    assert alarm.run_id == bad.pk and "cannot be looked at" in alarm.text

from __future__ import annotations

from datetime import time
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.gateway.directory import far_side
from risk.domain.limits import LimitTerms, loosens
from risk.domain.terms import LegTerms, Line, Lock, RiskTerms, SupertrendTerms, Trail, faults, row_of, terms_of
from risk.forms import LineField, RiskTermsForm, risk_initial
from risk.models import GuardState, RunLimits
from tests.risk import desk
from tests.strategies import stage

D = Decimal
NUMBER = st.integers(1, 9999).map(lambda n: (D(n) / 4).quantize(D("0.01")))
LINES = st.none() | st.builds(Line, st.sampled_from(["PERCENT", "POINTS", "PREMIUM"]), NUMBER)
TRAIL_LINES = st.none() | st.builds(Line, st.sampled_from(["PERCENT", "POINTS"]), NUMBER)
LEGS = st.builds(LegTerms, LINES, LINES, TRAIL_LINES, st.sampled_from(["EXIT", "ALERT"])).filter(
    lambda leg: leg.stop or leg.target or leg.trail
)
MAYBE = st.none() | NUMBER
TIMES = st.none() | st.times().map(lambda t: time(t.hour, t.minute))
TERMS = st.builds(
    RiskTerms,
    trail=st.none()
    | st.builds(
        Trail,
        st.sampled_from(["PERCENT", "POINTS", "AMOUNT"]),
        NUMBER,
        st.sampled_from(["CONSTANT_DISTANCE", "PERCENT_OF_PRICE"]),
        st.just(D(0)) | NUMBER,
    ),
    lock=st.none() | st.builds(Lock, NUMBER, NUMBER, MAYBE, MAYBE),
    legs=st.dictionaries(st.integers(0, 12), LEGS, max_size=3),
    stop_to_cost=st.booleans(),
    premium_stop=LINES,
    premium_target=LINES,
    underlying_below=MAYBE,
    underlying_above=MAYBE,
    exit_time=TIMES,
    square_off=TIMES,
    let_expire=st.booleans(),
    supertrend=st.none()
    | st.builds(
        SupertrendTerms,
        st.sampled_from([3, 5, 10, 15]),
        st.integers(5, 20),
        st.integers(2, 20).map(lambda n: D(n) / 2),
        st.sampled_from(["AUTO", "CREDIT", "DEBIT"]),
        st.booleans(),
    ),
)


@given(terms=TERMS)
@settings(max_examples=60)
def test_what_is_shown_is_what_is_posted(terms: RiskTerms) -> None:
    posted = {
        name: "on" if value is True else value.strftime("%H:%M") if isinstance(value, time) else str(value)
        for name, value in risk_initial(terms).items()
        if value not in (None, False, "")
    }
    form = RiskTermsForm(posted)
    assert form.is_valid(), form.errors
    assert form.risk_terms() == terms


@given(terms=TERMS)
@settings(max_examples=100)
def test_rows_keep_terms_exactly(terms: RiskTerms) -> None:
    import json

    assert terms_of(json.loads(json.dumps(row_of(terms)))) == terms


@given(terms=TERMS)
@settings(max_examples=100)
def test_the_same_terms_never_loosen_and_dropping_everything_does(terms: RiskTerms) -> None:
    assert not loosens(LimitTerms(more=terms), LimitTerms(more=terms))
    nothing = LimitTerms(more=RiskTerms(let_expire=terms.let_expire))
    assert loosens(LimitTerms(more=terms), nothing) == (terms != nothing.more)
    assert not loosens(LimitTerms(), LimitTerms(more=RiskTerms(trail=terms.trail, lock=terms.lock)))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("30%", Line("PERCENT", D(30))),
        (" 20 ", Line("POINTS", D(20))),
        ("@140", Line("PREMIUM", D(140))),
        ("₹1,140.50", Line("PREMIUM", D("1140.50"))),
        ("", None),
    ],
)
def test_a_line_is_typed_in_one_field(text: str, line: Line | None) -> None:
    assert LineField().clean(text) == line


@pytest.mark.parametrize("text", ["0", "0%", "abc", "@30%", "-", "5 x", "1.2.3"])
def test_nonsense_is_no_line(text: str) -> None:
    from django.core.exceptions import ValidationError

    with pytest.raises(ValidationError):
        LineField().clean(text)


def test_a_trail_within_its_limits() -> None:
    assert "trail_value" in faults(RiskTerms(trail=Trail("PERCENT", D(101))), has_max_loss=True)
    assert faults(RiskTerms(trail=Trail("PERCENT", D(100))), has_max_loss=True) == {}


@pytest.mark.django_db
def test_a_saved_strategy_arms_every_protection_of_its_run_and_the_page_changes_them(client) -> None:
    with stage.at(), far_side(desk.Deaf):  # type: ignore[arg-type]
        stage.market()
        more = RiskTerms(
            trail=Trail("AMOUNT", D(2000)),
            legs={1: LegTerms(stop=Line("PERCENT", D(30)))},
            stop_to_cost=True,
            underlying_above=D(24500),
            exit_time=time(15, 0),
            supertrend=SupertrendTerms(),
        )
        run = stage.started([stage.account(1), stage.account(2)], more=more)
        made = {(g.rule, g.leg) for g in GuardState.objects.filter(run=run)}
        assert {("TRAILING_STOP", None), ("LEG_STOP", 1), ("UNDERLYING_ABOVE", None), ("EXIT_TIME", None)} <= made
        assert {("SUPERTREND", None), ("EXPIRY", None), ("COST_STOP", 4), ("MAX_LOSS", None)} <= made
        limits = RunLimits.objects.get(run=run)
        assert terms_of(limits.terms) == more and limits.structure["underlying"] == "NSE_INDEX:NIFTY"
        client.force_login(stage.alice())
        text = client.get(f"/runs/{run.pk}").content.decode()
        assert "Trailing stop" in text and "Stop at cost" in text and 'name="leg1_stop" value="30%"' in text
        form = {"max_loss": "5000", "max_profit": "4000", "max_loss_action": "EXIT", "max_profit_action": "EXIT"}
        form |= {"blind_policy": "HOLD", "trail_value": "1500", "trail_kind": "AMOUNT", "why": "calmer now"}
        answer = client.post(f"/runs/{run.pk}/limits", form)
        assert answer.status_code == 302
        limits.refresh_from_db()
        assert terms_of(limits.terms) == RiskTerms(trail=Trail("AMOUNT", D(1500)))

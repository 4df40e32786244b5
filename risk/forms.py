"""The kill switch, releases, protections and limits, as typed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, Literal

from django import forms

from algomirror.kernel.errors import Refused
from risk.domain.limits import amount
from risk.domain.states import KillLevel
from risk.domain.terms import ALL_LEGS, TIMEFRAMES, LegTerms, Line, Lock, RiskTerms, SupertrendTerms, Trail

MAX_LEGS: Final = 12
LINE: Final = re.compile(r"^(?P<at>@|₹)?\s*(?P<number>[\d,]*\.?\d+)\s*(?P<percent>%)?$")


class KillForm(forms.Form):
    scope = forms.CharField(max_length=40)
    level = forms.ChoiceField(
        widget=forms.RadioSelect,
        choices=[
            (KillLevel.REDUCE, "Halt entries: no new entries; guards and exits go on"),
            (KillLevel.CANCEL, "Cancel orders: halt entries, then cancel every working entry order"),
            (KillLevel.FLATTEN, "Flatten: cancel orders, then close every owned position, shorts first"),
            (KillLevel.HALT, "Halt all: only cancels are sent, no exits, until the owner releases"),
        ],
    )
    reason = forms.CharField(max_length=300, required=False)
    idempotency_key = forms.CharField(max_length=64, required=False)


class ReleaseForm(forms.Form):
    scope = forms.CharField(max_length=40)
    reason = forms.CharField(max_length=300)


def in_halves(value: Decimal) -> None:
    """Django's own check of steps counts in floats and fails on what none can hold."""
    if value <= 10 and value % Decimal("0.5"):
        raise forms.ValidationError("in steps of 0.5, as 3 or 3.5")


class AmountField(forms.CharField):
    """A number above 0: ± means the same, empty is off, 0 is refused."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, max_length=24, **options)
        self.widget.attrs.update({"inputmode": "decimal", "placeholder": "off"})

    def clean(self, value: Any) -> Any:
        try:
            return amount(super().clean(value), "amount")
        except Refused as refused:
            raise forms.ValidationError(refused.fields.get("amount", refused.message)) from refused


class LineField(forms.CharField):
    """ "30%", "20" (points) or "@140" (premium) as a Line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, max_length=16, **options)
        self.widget.attrs.update({"placeholder": "off", "class": "w-20", "inputmode": "text"})

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        found = LINE.match(text)
        if found is None or (found["at"] and found["percent"]):
            raise forms.ValidationError("30% or 20 (points) or @140 (premium)")
        try:
            number = amount(found["number"], "line")
        except Refused as refused:
            raise forms.ValidationError(refused.fields["line"]) from refused
        assert number is not None
        return Line("PREMIUM" if found["at"] else "PERCENT" if found["percent"] else "POINTS", number)


def line_text(line: Line | None) -> str:
    if line is None:
        return ""
    number = f"{line.value.normalize():f}"
    return {"PERCENT": f"{number}%", "POINTS": number, "PREMIUM": f"@{number}"}[line.kind]


def time_of_day(label: str, help_text: str) -> forms.TimeField:
    return forms.TimeField(
        label=label,
        required=False,
        help_text=help_text,
        input_formats=["%H:%M", "%H:%M:%S"],
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
    )


class RiskTermsForm(forms.Form):
    """Every protection beside max loss and max profit. Forms of strategies and of live runs inherit these fields."""

    trail_value = AmountField(label="Trailing stop", help_text="Follows the best P&L and never moves back. Empty: off.")
    trail_kind = forms.ChoiceField(
        label="Trailing stop in",
        required=False,
        choices=[("AMOUNT", "rupees"), ("POINTS", "points of one structure"), ("PERCENT", "% of net premium")],
    )
    trail_mode = forms.ChoiceField(
        label="Trailing stop moves by",
        required=False,
        choices=[("CONSTANT_DISTANCE", "constant distance"), ("PERCENT_OF_PRICE", "percentage of price (with % only)")],
    )
    trail_activation = AmountField(label="Trails from a P&L of ₹", help_text="Empty: from entry.")
    lock_reach = AmountField(label="Profit lock: when P&L reaches ₹")
    lock_keep = AmountField(label="then keep ₹")
    lock_step = AmountField(label="and for each further ₹")
    lock_step_keep = AmountField(label="keep ₹ more")
    premium_stop = LineField(label="Combined premium stop", help_text="30%, 20 (points) or @140 (premium of one structure).")
    premium_target = LineField(label="Combined premium target", help_text="As the stop, on the other side.")
    underlying_below = AmountField(label="Leave when the index is at or below")
    underlying_above = AmountField(label="Leave when the index is at or above")
    exit_time = time_of_day("Exit time", "Indian time, on the day of the start or the next session.")
    square_off = time_of_day("Square-off time", "MIS without a time leaves five minutes before the broker's cut-off.")
    let_expire = forms.BooleanField(
        label="Let contracts expire", required=False, help_text="Else legs leave 15 minutes before the close of their last day."
    )
    stop_to_cost = forms.BooleanField(
        label="Stop to cost",
        required=False,
        help_text="When one leg's stop fires, the others in that account stop at entry.",
    )
    supertrend = forms.ChoiceField(
        label="Supertrend exit",
        required=False,
        choices=[("", "off"), *((str(n), f"{n} minutes") for n in TIMEFRAMES)],
        help_text="On the combined premium; needs a max loss that exits.",
    )
    st_period = forms.IntegerField(label="Supertrend period", required=False, min_value=5, max_value=20, initial=10)
    st_multiplier = forms.DecimalField(
        label="Supertrend multiplier",
        required=False,
        min_value=1,
        max_value=10,
        validators=[in_halves],
        widget=forms.NumberInput({"step": "0.5"}),
        initial=Decimal("3.0"),
        max_digits=3,
        decimal_places=1,
    )
    st_side = forms.ChoiceField(
        label="Supertrend side",
        required=False,
        choices=[("AUTO", "by net premium"), ("CREDIT", "credit: leave on a turn up"), ("DEBIT", "debit: leave on a turn down")],
    )
    st_adverse = forms.BooleanField(label="Leave also if already adverse on the first bar", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for number in range(MAX_LEGS + 1):
            for name in ("stop", "target", "trail"):
                label = f"{'All legs' if number == ALL_LEGS else f'Leg {number}'}: {name}"
                self.fields[f"leg{number}_{name}"] = LineField(label=label)
            self.fields[f"leg{number}_action"] = forms.ChoiceField(
                label="then", required=False, choices=[("EXIT", "exit"), ("ALERT", "alert only")]
            )

    @property
    def more_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in MORE_FIELDS]

    @property
    def plain_fields(self) -> Iterator[forms.BoundField]:
        """What the inheriting form adds."""
        ours = re.compile(r"^leg\d+_(stop|target|trail|action)$")
        return (field for field in self if field.name not in MORE_FIELDS and not ours.match(field.name))

    @property
    def leg_rows(self) -> list[dict[str, Any]]:
        return [
            {
                "name": "All legs" if number == ALL_LEGS else f"Leg {number}",
                "fields": [self[f"leg{number}_{name}"] for name in ("stop", "target", "trail", "action")],
            }
            for number in range(MAX_LEGS + 1)
        ]

    @property
    def has_leg_terms(self) -> bool:
        return any(self[f"leg{n}_{name}"].value() for n in range(MAX_LEGS + 1) for name in ("stop", "target", "trail"))

    def risk_terms(self) -> RiskTerms:
        """The typed protections; services judge them."""
        typed = self.cleaned_data
        return RiskTerms(
            trail=_trail(typed),
            lock=_lock(typed),
            legs=_legs(typed),
            stop_to_cost=typed["stop_to_cost"],
            premium_stop=typed["premium_stop"],
            premium_target=typed["premium_target"],
            underlying_below=typed["underlying_below"],
            underlying_above=typed["underlying_above"],
            exit_time=typed["exit_time"],
            square_off=typed["square_off"],
            let_expire=typed["let_expire"],
            supertrend=_supertrend(typed),
        )

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        if typed.get("lock_keep") is not None and typed.get("lock_reach") is None:
            self.add_error("lock_reach", "say at which P&L")
        if typed.get("lock_reach") is not None and typed.get("lock_keep") is None:
            self.add_error("lock_keep", "say how much is kept")
        if typed.get("lock_reach") is None and (typed.get("lock_step") or typed.get("lock_step_keep")):
            self.add_error("lock_reach", "steps need a first level")
        if typed.get("trail_activation") is not None and typed.get("trail_value") is None:
            self.add_error("trail_value", "say the distance")
        return typed


MORE_FIELDS: Final = tuple(RiskTermsForm.base_fields)


def _trail(typed: Mapping[str, Any]) -> Trail | None:
    if typed["trail_value"] is None:
        return None
    kind: Literal["PERCENT", "POINTS", "AMOUNT"] = "AMOUNT"
    if typed["trail_kind"] in ("PERCENT", "POINTS"):
        kind = typed["trail_kind"]
    return Trail(
        kind=kind,
        value=typed["trail_value"],
        mode="PERCENT_OF_PRICE" if typed["trail_mode"] == "PERCENT_OF_PRICE" else "CONSTANT_DISTANCE",
        activation=typed["trail_activation"] or Decimal(0),
    )


def _lock(typed: Mapping[str, Any]) -> Lock | None:
    if typed["lock_reach"] is None:
        return None
    return Lock(typed["lock_reach"], typed["lock_keep"], typed["lock_step"], typed["lock_step_keep"])


def _legs(typed: Mapping[str, Any]) -> dict[int, LegTerms]:
    found: dict[int, LegTerms] = {}
    for number in range(MAX_LEGS + 1):
        stop, target, trail = (typed[f"leg{number}_{name}"] for name in ("stop", "target", "trail"))
        if stop or target or trail:
            found[number] = LegTerms(stop, target, trail, "ALERT" if typed[f"leg{number}_action"] == "ALERT" else "EXIT")
    return found


def _supertrend(typed: Mapping[str, Any]) -> SupertrendTerms | None:
    if not typed["supertrend"]:
        return None
    return SupertrendTerms(
        timeframe=int(typed["supertrend"]),
        period=typed["st_period"] or 10,
        multiplier=typed["st_multiplier"] or Decimal("3.0"),
        side=typed["st_side"] or "AUTO",
        adverse_at_arming=typed["st_adverse"],
    )


def risk_initial(terms: RiskTerms) -> dict[str, Any]:
    """What RiskTermsForm shows for these terms."""
    trail, lock, st = terms.trail, terms.lock, terms.supertrend
    found: dict[str, Any] = {
        "stop_to_cost": terms.stop_to_cost,
        "premium_stop": line_text(terms.premium_stop),
        "premium_target": line_text(terms.premium_target),
        "underlying_below": terms.underlying_below,
        "underlying_above": terms.underlying_above,
        "exit_time": terms.exit_time,
        "square_off": terms.square_off,
        "let_expire": terms.let_expire,
    }
    if trail is not None:
        found |= {"trail_value": trail.value, "trail_kind": trail.kind, "trail_mode": trail.mode}
        found["trail_activation"] = trail.activation or None
    if lock is not None:
        found |= {"lock_reach": lock.reach, "lock_keep": lock.keep, "lock_step": lock.step, "lock_step_keep": lock.step_keep}
    if st is not None:
        found |= {"supertrend": str(st.timeframe), "st_period": st.period, "st_multiplier": st.multiplier}
        found |= {"st_side": st.side, "st_adverse": st.adverse_at_arming}
    for number, leg in terms.legs.items():
        found |= {f"leg{number}_{name}": line_text(getattr(leg, name)) for name in ("stop", "target", "trail")}
        found[f"leg{number}_action"] = leg.action
    return found

"""Protections of a run over the API: as asked and as answered. The forms of risk.forms say the same."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

import msgspec
from rest_framework import serializers

from algomirror.kernel.errors import Refused
from algomirror.ops.api.doors import Asked
from risk.domain.terms import TIMEFRAMES, RiskTerms, row_of
from risk.models import Action

SMALLEST: Final = Decimal("0.01")


def money(**more: Any) -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=14, decimal_places=2, min_value=SMALLEST, **more)


def maybe(**more: Any) -> serializers.DecimalField:
    return money(allow_null=True, default=None, **more)


class LineAsked(Asked):
    kind = serializers.ChoiceField(choices=["PERCENT", "POINTS", "PREMIUM"])
    value = money()


class TrailAsked(Asked):
    kind = serializers.ChoiceField(choices=["PERCENT", "POINTS", "AMOUNT"])
    value = money()
    mode = serializers.ChoiceField(choices=["CONSTANT_DISTANCE", "PERCENT_OF_PRICE"], default="CONSTANT_DISTANCE")
    activation = serializers.DecimalField(max_digits=14, decimal_places=2, min_value=Decimal(0), default=Decimal(0))


class LockAsked(Asked):
    reach = money()
    keep = money()
    step = maybe()
    step_keep = maybe()


class LegTermsAsked(Asked):
    leg = serializers.IntegerField(min_value=0, max_value=12, help_text="0 speaks for legs without terms of their own")
    stop = LineAsked(allow_null=True, default=None)
    target = LineAsked(allow_null=True, default=None)
    trail = LineAsked(allow_null=True, default=None)
    action = serializers.ChoiceField(choices=Action.values, default="EXIT")


class SupertrendAsked(Asked):
    timeframe = serializers.ChoiceField(choices=list(TIMEFRAMES), default=5)
    period = serializers.IntegerField(min_value=5, max_value=20, default=10)
    multiplier = serializers.DecimalField(
        max_digits=4, decimal_places=1, min_value=Decimal(1), max_value=Decimal(10), default=Decimal("3.0")
    )
    side = serializers.ChoiceField(choices=["AUTO", "CREDIT", "DEBIT"], default="AUTO")
    adverse_at_arming = serializers.BooleanField(default=False)


class ProtectionsAsked(Asked):
    """Several may stand together. What is not named stays as it is, null is off. Times are Indian."""

    trail = TrailAsked(allow_null=True, required=False)
    lock = LockAsked(allow_null=True, required=False)
    legs = LegTermsAsked(many=True, required=False)
    stop_to_cost = serializers.BooleanField(required=False)
    premium_stop = LineAsked(allow_null=True, required=False)
    premium_target = LineAsked(allow_null=True, required=False)
    underlying_below = money(allow_null=True, required=False)
    underlying_above = money(allow_null=True, required=False)
    exit_time = serializers.TimeField(allow_null=True, required=False)
    square_off = serializers.TimeField(allow_null=True, required=False)
    let_expire = serializers.BooleanField(required=False)
    supertrend = SupertrendAsked(allow_null=True, required=False)


def protections_of(asked: dict[str, Any], old: RiskTerms) -> RiskTerms:
    """`old` with what is named. Raises Refused when a leg is named twice."""
    row = dict(asked)
    if "legs" in row:
        legs = {leg["leg"]: {name: value for name, value in leg.items() if name != "leg"} for leg in row["legs"]}
        if len(legs) < len(row["legs"]):
            raise Refused("The protections were not understood.", fields={"protections.legs": "each leg once"})
        row["legs"] = legs
    typed = msgspec.convert(row, RiskTerms, str_keys=True)
    return replace(old, **{name: getattr(typed, name) for name in row})


def as_asked(terms: RiskTerms) -> dict[str, Any]:
    """What is on, as it would be asked: legs as a list."""
    row = row_of(terms)
    if "legs" in row:
        row["legs"] = [{"leg": int(number), **leg} for number, leg in row["legs"].items()]
    return row

"""A strategy's whole definition over the API: what it is asked as, and what it answers. The builder's page says the same."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from rest_framework import serializers

from algomirror.kernel.errors import Refused
from algomirror.ops.api.doors import Asked
from risk.api_protections import ProtectionsAsked, as_asked, protections_of
from risk.api_shapes import LimitFields, LimitsAsked
from risk.domain.limits import LimitTerms, amount
from risk.models import RunLimits
from strategies import models
from strategies.api_shapes import SIDES, ids
from strategies.domain.drafts import MOST_TAGS, Draft, ScheduleTerms, SizingTerms
from strategies.domain.legs import LegSpec, with_hedges
from strategies.services import build

EMPTY: Final = Draft("", "NRML", (), ())


class SizingAsked(Asked):
    mode = serializers.ChoiceField(choices=models.Version.Sizing.values, default="FIXED_LOTS")
    grade = serializers.CharField(max_length=10, required=False, allow_blank=True, default="")
    allocation = serializers.ChoiceField(choices=models.Version.Allocation.values, default="EQUAL")
    policy = serializers.ChoiceField(choices=models.Version.MarginPolicy.values, default="LOWER_OF_BOTH")
    shortfall = serializers.ChoiceField(choices=models.Version.Shortfall.values, default="SKIP_ACCOUNT")


class ScheduleAsked(Asked):
    weekdays = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=6), max_length=7, help_text="0 is Monday"
    )
    entry = serializers.TimeField(help_text="in India")
    latest = serializers.TimeField()
    days_to_expiry_min = serializers.IntegerField(min_value=0, max_value=400, allow_null=True, default=None)
    days_to_expiry_max = serializers.IntegerField(min_value=0, max_value=400, allow_null=True, default=None)


class LegAsked(Asked):
    underlying = serializers.CharField(max_length=20)
    kind = serializers.ChoiceField(choices=models.Leg.Kind.values)
    slot = serializers.ChoiceField(choices=models.Leg.Slot.values)
    expiry_date = serializers.DateField(allow_null=True, default=None, help_text="for the slot DATE")
    action = serializers.ChoiceField(choices=SIDES)
    strike_mode = serializers.ChoiceField(choices=models.Leg.Strike.values, default="ATM")
    strike_offset = serializers.IntegerField(min_value=0, max_value=20, default=0)
    strike_value = serializers.DecimalField(
        max_digits=12, decimal_places=2, allow_null=True, default=None, help_text="for STRIKE, PREMIUM, DELTA, STRADDLE"
    )
    tolerance = serializers.IntegerField(min_value=1, max_value=50, default=20)
    lots = serializers.IntegerField(min_value=1, max_value=100, default=1)
    price_type = serializers.ChoiceField(choices=models.Leg.PriceType.values, default="MARKET_PROTECTED")
    limit_price = serializers.DecimalField(max_digits=10, decimal_places=2, allow_null=True, default=None)
    trigger_price = serializers.DecimalField(max_digits=10, decimal_places=2, allow_null=True, default=None)
    hedges = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=12),
        allow_null=True,
        default=None,
        max_length=12,
        help_text="numbers of the short legs this long covers; null: as proposed",
    )


class StrategyAsked(LimitFields):
    """What is not named is off in a new strategy, and stays as it is in an edited one."""

    name = serializers.CharField(max_length=80)
    description = serializers.CharField(max_length=500, required=False, allow_blank=True)
    tags = serializers.ListField(child=serializers.CharField(max_length=30), max_length=MOST_TAGS, required=False)
    product = serializers.ChoiceField(choices=models.Version.Product.values)
    condition = serializers.ChoiceField(choices=models.Version.Condition.values, required=False)
    accounts = ids(min_length=1)
    factors = serializers.DictField(
        child=serializers.DecimalField(max_digits=8, decimal_places=3, min_value=Decimal(0)),
        required=False,
        help_text="by account id; an account that is not named has 1",
    )
    sizing = SizingAsked(required=False)
    legs = LegAsked(many=True, allow_empty=False)
    hedge_wait_s = serializers.IntegerField(min_value=2, max_value=120, required=False)
    limit_scope = serializers.ChoiceField(choices=RunLimits.Scope.values, required=False)
    protections = ProtectionsAsked(required=False)
    schedule = ScheduleAsked(required=False, allow_null=True, help_text="it counts once it is switched on")


class StrategyEdit(StrategyAsked):
    base = serializers.IntegerField(min_value=1, max_value=1_000_000, help_text="number of the version this was made from")


class RunLimitsAsked(LimitsAsked):
    protections = ProtectionsAsked(required=False)


def limits_of(asked: dict[str, Any], old: LimitTerms) -> LimitTerms:
    """Limits as asked; what is not named stays as in `old`. Raises Refused for what is no amount."""
    named: dict[str, Any] = {
        name: asked[name] for name in ("max_loss_action", "max_profit_action", "blind_policy") if name in asked
    }
    if "limit_scope" in asked:
        named["scope"] = asked["limit_scope"]
    for name in ("max_loss", "max_profit"):
        if name in asked:
            named[name] = amount(asked[name], name)
    if "protections" in asked:
        named["more"] = protections_of(asked["protections"], old.more)
    return replace(old, **named)


def draft_of(asked: dict[str, Any], old: Draft = EMPTY) -> Draft:
    """The definition as asked on top of `old`. Raises Refused with the field for what cannot be read."""
    named: dict[str, Any] = {
        name: asked[name] for name in ("name", "description", "product", "condition", "hedge_wait_s") if name in asked
    }
    if "tags" in asked:
        named["tags"] = tuple(asked["tags"])
    if "sizing" in asked:
        named["sizing"] = SizingTerms(**asked["sizing"])
    if "schedule" in asked:
        times = asked["schedule"]
        named["schedule"] = None if times is None else ScheduleTerms(**{**times, "weekdays": tuple(times["weekdays"])})
    return replace(
        old,
        **named,
        account_ids=tuple(asked["accounts"]),
        factors=_factors(asked, old),
        legs=_legs(asked["legs"]),
        limits=limits_of(asked, old.limits),
    )


def _factors(asked: dict[str, Any], old: Draft) -> dict[int, Decimal]:
    if "factors" not in asked:
        return {pk: factor for pk, factor in old.factors.items() if pk in asked["accounts"]}
    strangers = [key for key in asked["factors"] if not key.isdecimal() or int(key) not in asked["accounts"]]
    if strangers:
        raise Refused("The factors were not understood.", fields={"factors": f"{strangers[0][:20]} is none of the accounts"})
    return {int(key): factor for key, factor in asked["factors"].items()}


def _legs(asked: list[dict[str, Any]]) -> tuple[LegSpec, ...]:
    rows = [{name: value for name, value in leg.items() if name != "hedges"} for leg in asked]
    specs = [LegSpec(number=number, **row) for number, row in enumerate(rows, start=1)]
    chosen = {n: None if leg["hedges"] is None else tuple(leg["hedges"]) for n, leg in enumerate(asked, start=1)}
    return tuple(with_hedges(specs, chosen))


class LegShape(serializers.ModelSerializer[models.Leg]):
    underlying = serializers.CharField(source="underlying.symbol")

    class Meta:
        model = models.Leg
        fields = (
            "number", "underlying", "kind", "slot", "expiry_date", "action", "strike_mode", "strike_offset", "strike_value",
            "tolerance", "lots", "price_type", "limit_price", "trigger_price", "hedges",
        )  # fmt: skip
        ref_name = "Leg"


class SizingShape(serializers.Serializer[Any]):
    mode = serializers.CharField()
    grade = serializers.CharField()
    allocation = serializers.CharField()
    policy = serializers.CharField()
    shortfall = serializers.CharField()


class ScheduleShape(serializers.Serializer[Any]):
    weekdays = serializers.ListField(child=serializers.IntegerField())
    entry = serializers.TimeField()
    latest = serializers.TimeField()
    days_to_expiry_min = serializers.IntegerField(allow_null=True)
    days_to_expiry_max = serializers.IntegerField(allow_null=True)


class VersionShape(serializers.ModelSerializer[models.Version]):
    legs = LegShape(many=True)
    condition = serializers.CharField(source="market_condition")
    factors = serializers.SerializerMethodField(help_text="by account id")
    sizing = serializers.SerializerMethodField()
    schedule = serializers.SerializerMethodField()
    protections = serializers.SerializerMethodField(help_text="what is on, as it is asked")

    class Meta:
        model = models.Version
        fields = (
            "number", "product", "condition", "accounts", "factors", "sizing", "max_loss", "max_profit", "limit_scope",
            "max_loss_action", "max_profit_action", "blind_policy", "hedge_wait_s", "protections", "schedule", "created_at",
            "legs",
        )  # fmt: skip
        ref_name = "Version"

    def get_factors(self, version: models.Version) -> dict[str, str]:
        return {str(pk): f"{factor.normalize():f}" for pk, factor in build.factors(version).items()}

    def get_sizing(self, version: models.Version) -> dict[str, Any]:
        return dict(SizingShape(build.sizing(version)).data)

    def get_schedule(self, version: models.Version) -> dict[str, Any] | None:
        times = build.schedule(version)
        return None if times is None else dict(ScheduleShape(times).data)

    def get_protections(self, version: models.Version) -> dict[str, Any]:
        return as_asked(build.limits(version).more)


class StrategyShape(serializers.ModelSerializer[models.Strategy]):
    version = VersionShape(source="current", allow_null=True)

    class Meta:
        model = models.Strategy
        fields = (
            "id", "name", "description", "tags", "is_template", "entries_enabled", "scheduled_at", "archived_at", "created_at",
            "version",
        )  # fmt: skip
        ref_name = "Strategy"

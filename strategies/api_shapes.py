"""What the endpoints of strategies, plans, tickets and runs are asked and answer."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from algomirror.ops.api.doors import LARGEST_ID, Asked
from risk.api_shapes import LimitFields, Limits, Pnl
from risk.domain.limits import LimitTerms, amount
from risk.models import RunLimits
from strategies import models
from strategies.domain.drafts import Draft
from strategies.domain.legs import LegSpec, with_hedges
from strategies.domain.tickets import PRICE_TYPES, Ticket, TicketLeg
from trading.models import Book, Run

SIDES = ["BUY", "SELL"]


def ids(**more: Any) -> serializers.ListField:
    child = serializers.IntegerField(min_value=1, max_value=LARGEST_ID)
    return serializers.ListField(child=child, max_length=200, **more)


class LegShape(serializers.ModelSerializer[models.Leg]):
    underlying = serializers.CharField(source="underlying.symbol")

    class Meta:
        model = models.Leg
        fields = ("number", "underlying", "kind", "slot", "action", "strike_mode", "strike_offset", "lots", "hedges")
        ref_name = "Leg"


class VersionShape(serializers.ModelSerializer[models.Version]):
    legs = LegShape(many=True)

    class Meta:
        model = models.Version
        fields = (
            "number", "product", "accounts", "max_loss", "max_profit", "limit_scope", "max_loss_action", "max_profit_action",
            "blind_policy", "hedge_wait_s", "created_at", "legs",
        )  # fmt: skip
        ref_name = "Version"


class StrategyShape(serializers.ModelSerializer[models.Strategy]):
    version = VersionShape(source="current", allow_null=True)

    class Meta:
        model = models.Strategy
        fields = ("id", "name", "description", "entries_enabled", "archived_at", "created_at", "version")
        ref_name = "Strategy"


class PlanShape(serializers.ModelSerializer[models.Plan]):
    plan_id = serializers.CharField(source="key")
    plan_hash = serializers.CharField(source="digest")

    class Meta:
        model = models.Plan
        fields = (
            "plan_id", "plan_hash", "kind", "lines", "skipped", "terms", "snapshot", "created_at", "expires_at", "used_at", "run",
        )  # fmt: skip
        ref_name = "Plan"


class BookShape(serializers.ModelSerializer[Book]):
    class Meta:
        model = Book
        fields = ("id", "account", "mode", "state", "freeze_kind", "frozen_why", "opened_at", "flat_at")
        ref_name = "Book"


class RunShape(serializers.ModelSerializer[Run]):
    class Meta:
        model = Run
        fields = ("id", "name", "strategy_id", "mode", "state", "exit_reason", "started_at", "flat_at")
        ref_name = "Run"


class RunDetail(serializers.Serializer[Any]):
    run = RunShape()
    books = BookShape(many=True)
    pnl = Pnl()
    limits = Limits(allow_null=True)
    blind_since = serializers.DateTimeField(allow_null=True)


class LegAsked(Asked):
    underlying = serializers.CharField(max_length=20)
    kind = serializers.ChoiceField(choices=models.Leg.Kind.values)
    slot = serializers.ChoiceField(choices=models.Leg.Slot.values)
    action = serializers.ChoiceField(choices=SIDES)
    strike_mode = serializers.ChoiceField(choices=models.Leg.Strike.values, default="ATM")
    strike_offset = serializers.IntegerField(min_value=0, max_value=20, default=0)
    lots = serializers.IntegerField(min_value=1, max_value=100, default=1)
    hedges = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=12),
        allow_null=True,
        default=None,
        max_length=12,
        help_text="numbers of the short legs this long covers; null: as proposed",
    )


class StrategyAsked(LimitFields):
    name = serializers.CharField(max_length=80)
    description = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")
    product = serializers.ChoiceField(choices=models.Version.Product.values)
    accounts = ids(min_length=1)
    legs = LegAsked(many=True, allow_empty=False)
    hedge_wait_s = serializers.IntegerField(min_value=2, max_value=120, default=10)
    limit_scope = serializers.ChoiceField(choices=RunLimits.Scope.values, default=RunLimits.Scope.RUN)


class StrategyEdit(StrategyAsked):
    base = serializers.IntegerField(min_value=1, max_value=1_000_000, help_text="number of the version this was made from")


def terms_of(asked: dict[str, Any], old: LimitTerms, scope: str) -> LimitTerms:
    """Limits as asked; what is not named stays as in `old`. Raises Refused for what is no amount."""

    def limit(name: str, before: Decimal | None) -> Decimal | None:
        return amount(asked[name], name) if name in asked else before

    return LimitTerms(
        max_loss=limit("max_loss", old.max_loss),
        max_profit=limit("max_profit", old.max_profit),
        scope="BOOK" if scope == "BOOK" else "RUN",
        max_loss_action=asked.get("max_loss_action", old.max_loss_action),
        max_profit_action=asked.get("max_profit_action", old.max_profit_action),
        blind_policy=asked.get("blind_policy", old.blind_policy),
    )


def draft_of(asked: dict[str, Any]) -> Draft:
    specs = [
        LegSpec(
            number=number,
            underlying=leg["underlying"],
            kind=leg["kind"],
            slot=leg["slot"],
            action=leg["action"],
            strike_mode=leg["strike_mode"],
            strike_offset=leg["strike_offset"],
            lots=leg["lots"],
        )
        for number, leg in enumerate(asked["legs"], start=1)
    ]
    chosen = {n: None if leg["hedges"] is None else tuple(leg["hedges"]) for n, leg in enumerate(asked["legs"], start=1)}
    return Draft(
        name=asked["name"],
        description=asked["description"],
        product=asked["product"],
        account_ids=tuple(asked["accounts"]),
        legs=tuple(with_hedges(specs, chosen)),
        limits=terms_of(asked, LimitTerms(), asked["limit_scope"]),
        hedge_wait_s=asked["hedge_wait_s"],
    )


class PreviewAsked(Asked):
    accounts = ids(required=False, min_length=1, help_text="empty: those of the strategy")


class SendAsked(Asked):
    plan_id = serializers.CharField(max_length=32)
    plan_hash = serializers.CharField(max_length=64)


class ExitAsked(Asked):
    account = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST_ID, help_text="empty: all its accounts")
    reason = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")


class EnabledAsked(Asked):
    enabled = serializers.BooleanField()


class Goals(serializers.Serializer[Any]):
    goals = serializers.ListField(child=serializers.IntegerField())


class TicketLegAsked(Asked):
    exchange = serializers.CharField(max_length=12)
    symbol = serializers.CharField(max_length=50)
    action = serializers.ChoiceField(choices=SIDES)
    lots = serializers.IntegerField(min_value=1, max_value=100)


class TicketAsked(Asked):
    legs = TicketLegAsked(many=True, allow_empty=False)
    accounts = ids(min_length=1)
    product = serializers.ChoiceField(choices=models.Version.Product.values)
    price_type = serializers.ChoiceField(choices=list(PRICE_TYPES), default="MARKET_PROTECTED")
    price = serializers.DecimalField(max_digits=10, decimal_places=2, required=False, allow_null=True)
    trigger_price = serializers.DecimalField(max_digits=10, decimal_places=2, required=False, allow_null=True)
    reduce_only = serializers.BooleanField(default=False)


def ticket_of(asked: dict[str, Any]) -> Ticket:
    return Ticket(
        legs=tuple(TicketLeg(leg["exchange"], leg["symbol"], leg["action"], leg["lots"]) for leg in asked["legs"]),
        account_ids=tuple(asked["accounts"]),
        product=asked["product"],
        price_type=asked["price_type"],
        price=asked.get("price"),
        trigger_price=asked.get("trigger_price"),
        reduce_only=asked["reduce_only"],
    )


class Sent(serializers.Serializer[Any]):
    orders = serializers.ListField(child=serializers.IntegerField())
    goals = serializers.ListField(child=serializers.IntegerField(), help_text="of a reduce-only ticket")
    links = serializers.ListField(child=serializers.CharField())

"""What the endpoints of strategies, plans, tickets and runs are asked and answer."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from algomirror.ops.api.doors import LARGEST_ID, Asked
from risk.api_shapes import Limits, Pnl
from strategies import models
from strategies.domain.tickets import PRICE_TYPES, Ticket, TicketLeg
from trading.models import Book, Run

SIDES = ["BUY", "SELL"]


def ids(**more: Any) -> serializers.ListField:
    child = serializers.IntegerField(min_value=1, max_value=LARGEST_ID)
    return serializers.ListField(child=child, max_length=200, **more)


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


class PreviewAsked(Asked):
    accounts = ids(required=False, min_length=1, help_text="empty: those of the strategy")


class SendAsked(Asked):
    plan_id = serializers.CharField(max_length=32)
    plan_hash = serializers.CharField(max_length=64)


class ExitAsked(Asked):
    account = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST_ID, help_text="empty: all its accounts")
    leg = serializers.IntegerField(required=False, min_value=1, max_value=1000, help_text="empty: all its legs")
    instrument = serializers.CharField(required=False, max_length=64, help_text="EXCHANGE:SYMBOL, instead of a leg")
    units = serializers.IntegerField(
        required=False, min_value=1, max_value=10_000_000, help_text="of the instrument, in each account; empty: all that is held"
    )
    reason = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")

    def validate(self, asked: dict[str, Any]) -> dict[str, Any]:
        if "leg" in asked and "instrument" in asked:
            raise serializers.ValidationError({"instrument": ["Name a leg or an instrument."]})
        if "units" in asked and "instrument" not in asked:
            raise serializers.ValidationError({"units": ["A part is closed of an instrument only."]})
        return asked


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

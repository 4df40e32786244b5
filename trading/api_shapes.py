"""What the trading endpoints are asked and answer. Quantities are units, signed where they can be either side."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from algomirror.ops.api.doors import LARGEST_ID, Asked
from trading import models
from trading.domain.orders import OrderState


class OrderShape(serializers.ModelSerializer[models.Order]):
    run = serializers.IntegerField(source="book.run_id", allow_null=True)
    average_price = serializers.SerializerMethodField()

    class Meta:
        model = models.Order
        fields = (
            "id", "account", "book", "run", "goal", "client_order_id", "broker_order_id", "purpose", "leg", "slice_no",
            "attempt", "exchange", "symbol", "product", "action", "units", "lot_units", "price_type", "price",
            "trigger_price", "decision_price", "state", "filled_units", "average_price", "reason", "created_at", "sent_at",
            "acknowledged_at", "cancel_asked_at", "finished_at",
        )  # fmt: skip
        ref_name = "Order"

    @extend_schema_field(serializers.DecimalField(max_digits=18, decimal_places=6, allow_null=True))
    def get_average_price(self, row: models.Order) -> str | None:
        return average(row.filled_value, row.filled_units)


def average(value: Decimal, units: int) -> str | None:
    return None if not units else f"{value / abs(units):.4f}"


class FillShape(serializers.ModelSerializer[models.Fill]):
    run = serializers.IntegerField(source="book.run_id", allow_null=True)
    price = serializers.SerializerMethodField()

    class Meta:
        model = models.Fill
        fields = (
            "id", "order", "account", "book", "run", "exchange", "symbol", "product", "action", "leg", "units", "price",
            "value", "broker_order_id", "cumulative_units", "source", "trading_day", "first_seen_at",
        )  # fmt: skip
        ref_name = "Fill"

    @extend_schema_field(serializers.DecimalField(max_digits=18, decimal_places=6))
    def get_price(self, row: models.Fill) -> str | None:
        return average(row.value, row.units)


class PositionShape(serializers.ModelSerializer[models.Position]):
    account = serializers.IntegerField(source="book.account_id")
    run = serializers.IntegerField(source="book.run_id", allow_null=True)
    average_price = serializers.SerializerMethodField()

    class Meta:
        model = models.Position
        fields = (
            "id", "account", "book", "run", "exchange", "symbol", "product", "leg", "units", "average_price", "open_value",
            "realised", "bought_units", "sold_units",
        )  # fmt: skip
        ref_name = "Position"

    @extend_schema_field(serializers.DecimalField(max_digits=18, decimal_places=6, allow_null=True))
    def get_average_price(self, row: models.Position) -> str | None:
        return average(row.open_value, row.units)


class GoalShape(serializers.ModelSerializer[models.ExitGoal]):
    account = serializers.IntegerField(source="book.account_id")
    run = serializers.IntegerField(source="book.run_id", allow_null=True)

    class Meta:
        model = models.ExitGoal
        fields = (
            "id", "book", "account", "run", "targets", "reason", "why", "asked_by", "state", "attempts", "requested_at",
            "first_sent_at", "done_at",
        )  # fmt: skip
        ref_name = "ExitGoal"


def page_of(shape: type[serializers.BaseSerializer[Any]], name: str) -> type[serializers.Serializer[Any]]:
    """One page of these rows, for the document."""
    fields = {
        "next": serializers.URLField(allow_null=True),
        "previous": serializers.URLField(allow_null=True),
        "results": shape(many=True),
    }
    return type(f"{name}Page", (serializers.Serializer,), fields)


class RowsAsked(Asked):
    account = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST_ID)
    run = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST_ID)
    cursor = serializers.CharField(required=False)
    limit = serializers.IntegerField(required=False, min_value=1, max_value=200)


class DayAsked(RowsAsked):
    day = serializers.DateField(required=False, help_text="trading day in India")


class OrdersAsked(DayAsked):
    state = serializers.ChoiceField(choices=[s.value for s in OrderState], required=False)


class PositionsAsked(RowsAsked):
    all = serializers.BooleanField(default=False, help_text="also those that are flat")


class GoalsAsked(RowsAsked):
    open = serializers.BooleanField(default=False, help_text="only those that are not done")


class CancelAllAsked(Asked):
    account = serializers.IntegerField(min_value=1, max_value=LARGEST_ID)


class Cancelled(serializers.Serializer[Any]):
    asked = serializers.IntegerField()


class Closing(serializers.Serializer[Any]):
    goal = GoalShape(allow_null=True, help_text="null: there was nothing to close")


class Difference(serializers.Serializer[Any]):
    account = serializers.IntegerField()
    exchange = serializers.CharField()
    symbol = serializers.CharField()
    product = serializers.CharField()
    ours = serializers.IntegerField()
    broker = serializers.IntegerField(allow_null=True, help_text="null: no complete read")
    verdict = serializers.CharField()


class PnlShape(serializers.Serializer[Any]):
    account = serializers.IntegerField()
    realised = serializers.DecimalField(max_digits=18, decimal_places=2)
    unrealised = serializers.DecimalField(max_digits=18, decimal_places=2, allow_null=True, help_text="null: unknown")
    total = serializers.DecimalField(max_digits=18, decimal_places=2, allow_null=True)
    missing = serializers.ListField(child=serializers.CharField(), help_text="open legs without a fresh price")

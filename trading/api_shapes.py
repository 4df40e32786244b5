"""What the trading endpoints are asked and answer. Quantities are units, signed where they can be either side."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from algomirror.ops.api.doors import LARGEST_ID, Asked
from trading import models
from trading.domain.orders import OrderState

MOST_AT_ONCE = 200


class OrderShape(serializers.ModelSerializer[models.Order]):
    run = serializers.IntegerField(source="book.run_id", allow_null=True)
    average_price = serializers.SerializerMethodField()

    class Meta:
        model = models.Order
        fields = (
            "id", "account", "book", "run", "goal", "client_order_id", "broker_order_id", "purpose", "leg", "slice_no",
            "attempt", "exchange", "symbol", "product", "action", "units", "lot_units", "price_type", "price",
            "trigger_price", "decision_price", "state", "filled_units", "average_price", "reason", "created_at", "sent_at",
            "acknowledged_at", "cancel_asked_at", "finished_at", "protected", "to_market", "change_state", "asked_units",
            "asked_price", "asked_trigger", "change_asked_at", "change_text",
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


def _ids(**more: Any) -> serializers.ListField:
    return serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=LARGEST_ID), min_length=1, max_length=MOST_AT_ONCE, **more
    )


class WhereAsked(Asked):
    """Exactly one of the four, so that a misspelt account never means all of them."""

    account = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST_ID)
    accounts = _ids(required=False)
    group = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST_ID)
    everywhere = serializers.BooleanField(required=False, default=False, help_text="all accounts that the caller may see")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if sum([*(name in attrs for name in ("account", "accounts", "group")), bool(attrs["everywhere"])]) != 1:
            raise serializers.ValidationError({"account": ["Name one account, several accounts, a group, or everywhere."]})
        return attrs


class ModifyAsked(Asked):
    """What is not named stays. `units` is the order's total, not what is left of it."""

    units = serializers.IntegerField(required=False, min_value=1, max_value=10_000_000)
    price = serializers.DecimalField(max_digits=10, decimal_places=2, required=False)
    trigger_price = serializers.DecimalField(max_digits=10, decimal_places=2, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not {"units", "price", "trigger_price"} & set(attrs):
            raise serializers.ValidationError({"price": ["Name a price, a trigger price or units."]})
        return attrs


class ModifyManyAsked(ModifyAsked):
    orders = _ids()


class ManyAsked(Asked):
    orders = _ids()


class Outcome(serializers.Serializer[Any]):
    """What became of one order of many: asked, or why not."""

    order = serializers.IntegerField()
    account = serializers.CharField()
    asked = serializers.BooleanField()
    state = serializers.CharField()
    change_state = serializers.CharField(allow_blank=True)
    error = serializers.CharField(allow_blank=True)


class Outcomes(serializers.Serializer[Any]):
    outcomes = Outcome(many=True)


class CloseAsked(Asked):
    units = serializers.IntegerField(required=False, min_value=1, max_value=10_000_000, help_text="empty: all of it")


class Cancelled(serializers.Serializer[Any]):
    asked = serializers.IntegerField()


class Closing(serializers.Serializer[Any]):
    goal = GoalShape(allow_null=True, help_text="null: there was nothing to close")


class Closings(serializers.Serializer[Any]):
    goals = GoalShape(many=True, help_text="one per book that had anything to close")


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

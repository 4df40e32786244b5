"""What was traded, to read. Nothing here is added, edited or deleted: every row is a fact or is written by one service."""

from __future__ import annotations

from django.contrib import admin

from algomirror.ops.admin import ReadOnlyAdmin
from trading.models import Book, BrokerOrder, ExitGoal, Fill, Order, Position, Run


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    list_display = ("id", "name", "mode", "state", "exit_reason", "started_at", "flat_at")
    list_filter = ("state", "mode", "exit_reason")
    search_fields = ("name", "idempotency_key")


@admin.register(Book)
class BookAdmin(ReadOnlyAdmin):
    list_display = ("id", "kind", "run", "account", "mode", "state", "freeze_kind", "frozen_why", "version", "opened_at")
    list_filter = ("state", "kind", "mode", "account", "freeze_kind")
    list_select_related = ("run", "account")
    search_fields = ("run__name", "account__name", "frozen_why")


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    list_display = (
        "client_order_id",
        "account",
        "purpose",
        "action",
        "symbol",
        "product",
        "units",
        "filled_units",
        "price_type",
        "price",
        "state",
        "reason",
        "broker_order_id",
        "created_at",
    )
    list_filter = ("state", "purpose", "account", "trading_day", "action")
    list_select_related = ("account",)
    search_fields = ("client_order_id", "broker_order_id", "symbol", "reason")


@admin.register(BrokerOrder)
class BrokerOrderAdmin(ReadOnlyAdmin):
    list_display = (
        "broker_order_id",
        "account",
        "trading_day",
        "order",
        "action",
        "symbol",
        "units",
        "traded_units",
        "word",
        "raw_status",
        "last_seen_at",
    )
    list_filter = ("word", "account", "trading_day")
    list_select_related = ("account", "order")
    search_fields = ("broker_order_id", "symbol", "reason", "raw_status")


@admin.register(Fill)
class FillAdmin(ReadOnlyAdmin):
    list_display = ("id", "account", "book", "action", "symbol", "units", "value", "broker_order_id", "source", "first_seen_at")
    list_filter = ("source", "account", "trading_day", "action")
    list_select_related = ("account", "book")
    search_fields = ("broker_order_id", "symbol", "order__client_order_id")


@admin.register(Position)
class PositionAdmin(ReadOnlyAdmin):
    list_display = ("book", "exchange", "symbol", "product", "leg", "units", "open_value", "realised")
    list_filter = ("product", "exchange", "book__account")
    list_select_related = ("book",)
    search_fields = ("symbol",)


@admin.register(ExitGoal)
class ExitGoalAdmin(ReadOnlyAdmin):
    list_display = ("id", "book", "reason", "state", "asked_by", "why", "attempts", "rejections", "requested_at", "done_at")
    list_filter = ("state", "reason")
    list_select_related = ("book",)
    search_fields = ("why", "asked_by")

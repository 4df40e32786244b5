"""Facts of the risk engine, for looking. Trading states change by the kill switch and by release only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from risk import margin_admin as margin_admin
from risk.models import AccountLimits, Blindness, EntryLock, GuardState, RiskEvent, RunLimits, TradingState


class LookOnly(ModelAdmin):  # type: ignore[misc]
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(TradingState)
class TradingStateAdmin(LookOnly):
    list_display = ("account", "state", "since", "by", "why")


@admin.register(RunLimits)
class RunLimitsAdmin(LookOnly):
    list_display = ("run", "max_loss", "max_profit", "scope", "max_loss_action", "max_profit_action", "blind_policy")


@admin.register(GuardState)
class GuardStateAdmin(LookOnly):
    list_display = ("run", "rule", "scope_key", "state", "level", "value", "evaluated_at", "tripped_at")
    list_filter = ("rule", "state")


@admin.register(Blindness)
class BlindnessAdmin(LookOnly):
    list_display = ("run", "since", "announced_at", "acted_at")


@admin.register(RiskEvent)
class RiskEventAdmin(LookOnly):
    list_display = ("at", "kind", "run", "book", "threshold", "value", "action", "seen_by")
    list_filter = ("kind", "action", "seen_by")
    date_hierarchy = "at"


@admin.register(AccountLimits)
class AccountLimitsAdmin(LookOnly):
    list_display = ("account", "daily_loss", "daily_profit", "max_lots", "max_notional", "changed_at", "changed_by")


@admin.register(EntryLock)
class EntryLockAdmin(LookOnly):
    list_display = ("account", "kind", "trading_day", "until", "why", "released_by")
    list_filter = ("kind",)

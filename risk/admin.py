"""Facts of the risk engine, for looking. Trading states change by the kill switch and by release only."""

from __future__ import annotations

from django.contrib import admin

from algomirror.ops.admin import ReadOnlyAdmin
from risk import margin_admin as margin_admin
from risk.models import (
    AccountLimits,
    Blindness,
    EntryLock,
    GroupLimits,
    GuardState,
    RiskEvent,
    RunExtremes,
    RunLimits,
    TradingState,
)


@admin.register(TradingState)
class TradingStateAdmin(ReadOnlyAdmin):
    list_display = ("account", "state", "since", "by", "why")


@admin.register(RunLimits)
class RunLimitsAdmin(ReadOnlyAdmin):
    list_display = ("run", "max_loss", "max_profit", "scope", "max_loss_action", "max_profit_action", "blind_policy")


@admin.register(GuardState)
class GuardStateAdmin(ReadOnlyAdmin):
    list_display = ("run", "rule", "scope_key", "state", "level", "value", "evaluated_at", "tripped_at")
    list_filter = ("rule", "state")


@admin.register(Blindness)
class BlindnessAdmin(ReadOnlyAdmin):
    list_display = ("run", "since", "announced_at", "acted_at")


@admin.register(RiskEvent)
class RiskEventAdmin(ReadOnlyAdmin):
    list_display = ("at", "kind", "run", "book", "threshold", "value", "action", "seen_by")
    list_filter = ("kind", "action", "seen_by")
    date_hierarchy = "at"


@admin.register(AccountLimits)
class AccountLimitsAdmin(ReadOnlyAdmin):
    list_display = ("account", "daily_loss", "daily_profit", "max_lots", "max_notional", "changed_at", "changed_by")


@admin.register(GroupLimits)
class GroupLimitsAdmin(ReadOnlyAdmin):
    list_display = ("group_id", "daily_loss", "daily_profit", "changed_at", "changed_by")


@admin.register(EntryLock)
class EntryLockAdmin(ReadOnlyAdmin):
    list_display = ("account", "kind", "trading_day", "until", "why", "released_by")
    list_filter = ("kind",)


@admin.register(RunExtremes)
class RunExtremesAdmin(ReadOnlyAdmin):
    list_display = ("run", "highest", "lowest", "drawdown")

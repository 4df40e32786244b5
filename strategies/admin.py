"""Definitions and plans, for looking. The builder writes them; what traded is never deleted."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import TabularInline

from algomirror.ops.admin import ReadOnlyAdmin
from strategies.models import (
    AccountGroup,
    BasketFigure,
    DayTold,
    GroupMember,
    Leg,
    Plan,
    RunNote,
    RunTags,
    Schedule,
    ScheduledStart,
    Strategy,
    StrategyAccount,
    Version,
)


class _NoWrites:
    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class LegInline(_NoWrites, TabularInline):  # type: ignore[misc]
    model = Leg
    extra = 0


@admin.register(Strategy)
class StrategyAdmin(ReadOnlyAdmin):
    list_display = ("name", "owner", "entries_enabled", "archived_at", "created_at")
    search_fields = ("name",)


@admin.register(Version)
class VersionAdmin(ReadOnlyAdmin):
    list_display = ("strategy", "number", "product", "max_loss", "max_profit", "limit_scope", "created_at")
    inlines = (LegInline,)


@admin.register(Leg)
class LegAdmin(ReadOnlyAdmin):
    list_display = ("version", "number", "action", "lots", "underlying", "slot", "strike_mode", "strike_offset", "kind")
    list_filter = ("underlying", "kind", "slot")


@admin.register(Plan)
class PlanAdmin(ReadOnlyAdmin):
    list_display = ("key", "kind", "version", "owner", "created_at", "used_at", "run")
    list_filter = ("kind",)


from strategies.webhooks import admin as webhook_admin  # noqa: E402, F401


@admin.register(StrategyAccount)
class StrategyAccountAdmin(ReadOnlyAdmin):
    list_display = ("version", "account", "factor")


@admin.register(Schedule)
class ScheduleAdmin(ReadOnlyAdmin):
    list_display = ("version", "weekdays", "entry_time", "latest_entry_time", "days_to_expiry_min", "days_to_expiry_max")


@admin.register(DayTold)
class DayToldAdmin(ReadOnlyAdmin):
    list_display = ("trading_day", "account", "at", "was_told")
    list_filter = ("was_told",)


@admin.register(ScheduledStart)
class ScheduledStartAdmin(ReadOnlyAdmin):
    list_display = ("trading_day", "strategy", "state", "tries", "why", "run")
    list_filter = ("state",)


class MemberInline(_NoWrites, TabularInline):  # type: ignore[misc]
    model = GroupMember
    extra = 0


@admin.register(AccountGroup)
class AccountGroupAdmin(ReadOnlyAdmin):
    list_display = ("name",)
    inlines = (MemberInline,)


@admin.register(GroupMember)
class GroupMemberAdmin(ReadOnlyAdmin):
    list_display = ("group", "account", "factor")


@admin.register(RunNote)
class RunNoteAdmin(ReadOnlyAdmin):
    list_display = ("run", "author", "at", "text")


@admin.register(RunTags)
class RunTagsAdmin(ReadOnlyAdmin):
    list_display = ("run", "words")


@admin.register(BasketFigure)
class BasketFigureAdmin(ReadOnlyAdmin):
    list_display = ("underlying", "kind", "is_expiry", "account", "rupees", "asked_at", "symbols")
    list_filter = ("underlying", "kind", "is_expiry", "account")

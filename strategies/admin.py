"""Definitions and plans, for looking. The builder writes them; what traded is never deleted."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from strategies.models import (
    AccountGroup,
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


class LookOnly(_NoWrites, ModelAdmin):  # type: ignore[misc]
    show_full_result_count = False


class LegInline(_NoWrites, TabularInline):  # type: ignore[misc]
    model = Leg
    extra = 0


@admin.register(Strategy)
class StrategyAdmin(LookOnly):
    list_display = ("name", "owner", "entries_enabled", "archived_at", "created_at")
    search_fields = ("name",)


@admin.register(Version)
class VersionAdmin(LookOnly):
    list_display = ("strategy", "number", "product", "max_loss", "max_profit", "limit_scope", "created_at")
    inlines = (LegInline,)


@admin.register(Leg)
class LegAdmin(LookOnly):
    list_display = ("version", "number", "action", "lots", "underlying", "slot", "strike_mode", "strike_offset", "kind")
    list_filter = ("underlying", "kind", "slot")


@admin.register(Plan)
class PlanAdmin(LookOnly):
    list_display = ("key", "kind", "version", "owner", "created_at", "used_at", "run")
    list_filter = ("kind",)


from strategies.webhooks import admin as webhook_admin  # noqa: E402, F401


@admin.register(StrategyAccount)
class StrategyAccountAdmin(LookOnly):
    list_display = ("version", "account", "factor")


@admin.register(Schedule)
class ScheduleAdmin(LookOnly):
    list_display = ("version", "weekdays", "entry_time", "latest_entry_time", "days_to_expiry_min", "days_to_expiry_max")


@admin.register(ScheduledStart)
class ScheduledStartAdmin(LookOnly):
    list_display = ("trading_day", "strategy", "state", "tries", "why", "run")
    list_filter = ("state",)


class MemberInline(_NoWrites, TabularInline):  # type: ignore[misc]
    model = GroupMember
    extra = 0


@admin.register(AccountGroup)
class AccountGroupAdmin(LookOnly):
    list_display = ("name",)
    inlines = (MemberInline,)


@admin.register(GroupMember)
class GroupMemberAdmin(LookOnly):
    list_display = ("group", "account", "factor")


@admin.register(RunNote)
class RunNoteAdmin(LookOnly):
    list_display = ("run", "author", "at", "text")


@admin.register(RunTags)
class RunTagsAdmin(LookOnly):
    list_display = ("run", "words")

"""Margin facts for looking; charge rates may be added and corrected here, and every change is journaled."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from risk.models import ChargeRate, MarginClaim, MarginRequirement, MarginReservation, TradeGrade
from risk.services import margins


class LookOnly(ModelAdmin):  # type: ignore[misc]
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(MarginRequirement)
class MarginRequirementAdmin(LookOnly):
    list_display = ("underlying", "kind", "is_expiry", "rupees")
    list_filter = ("underlying", "kind")


@admin.register(TradeGrade)
class TradeGradeAdmin(LookOnly):
    list_display = ("name", "share", "label", "basis", "archived_at")


@admin.register(MarginReservation)
class MarginReservationAdmin(LookOnly):
    list_display = ("account", "run", "rupees", "created_at", "entered_at", "released_at")


@admin.register(MarginClaim)
class MarginClaimAdmin(LookOnly):
    list_display = ("account", "claims")


@admin.register(ChargeRate)
class ChargeRateAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ("item", "exchange", "is_future", "share", "effective_from")
    list_filter = ("exchange", "item")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: ChargeRate, form: ModelForm[ChargeRate], change: bool) -> None:
        margins.save_rate(obj, by=f"user:{request.user.get_username()}")

"""Margin facts for looking; charge rates may be added and corrected here, and every change is journaled."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest

from algomirror.ops.admin import FindableAdmin, ReadOnlyAdmin
from risk.models import ChargeRate, MarginClaim, MarginRequirement, MarginReservation, MarginSample, TradeGrade
from risk.services import margins


@admin.register(MarginRequirement)
class MarginRequirementAdmin(ReadOnlyAdmin):
    list_display = ("underlying", "kind", "is_expiry", "rupees")
    list_filter = ("underlying", "kind")


@admin.register(TradeGrade)
class TradeGradeAdmin(ReadOnlyAdmin):
    list_display = ("name", "share", "label", "basis", "archived_at")


@admin.register(MarginReservation)
class MarginReservationAdmin(ReadOnlyAdmin):
    list_display = ("account", "run", "rupees", "created_at", "entered_at", "released_at")


@admin.register(MarginClaim)
class MarginClaimAdmin(ReadOnlyAdmin):
    list_display = ("account", "claims")


@admin.register(MarginSample)
class MarginSampleAdmin(ReadOnlyAdmin):
    list_display = ("account", "at", "share", "used", "reserved", "usable")
    list_filter = ("account",)


@admin.register(ChargeRate)
class ChargeRateAdmin(FindableAdmin):
    list_display = ("item", "exchange", "is_future", "share", "effective_from")
    list_filter = ("exchange", "item")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: ChargeRate, form: ModelForm[ChargeRate], change: bool) -> None:
        margins.save_rate(obj, by=f"user:{request.user.get_username()}")

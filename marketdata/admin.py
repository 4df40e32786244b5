"""Reference data is edited here, every edit journaled; what the broker lists is only read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from algomirror.ops.admin import FindableAdmin, ReadOnlyAdmin
from marketdata.models import (
    CalendarProposal,
    Candle1m,
    ChainColumns,
    ContractSpec,
    FailoverRecord,
    FeedPin,
    FreezeLimit,
    Holiday,
    Instrument,
    InstrumentChange,
    MisCutoff,
    SpecialSession,
    TermsDispute,
    TradingHours,
    Underlying,
    ViewingSession,
)
from marketdata.reference.edit import edited, facts


def _actor(request: HttpRequest) -> str:
    return f"user:{request.user.get_username()}"


class ReferenceAdmin(FindableAdmin):
    def save_model(self, request: HttpRequest, obj: Model, form: ModelForm[Any], change: bool) -> None:
        before = facts(type(obj)._default_manager.get(pk=obj.pk)) if change else None
        super().save_model(request, obj, form, change)
        edited(obj, actor=_actor(request), before=before)

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        edited(obj, actor=_actor(request), before=facts(obj), deleted=True)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for row in queryset:
            self.delete_model(request, row)


@admin.register(Underlying)
class UnderlyingAdmin(ReferenceAdmin):
    list_display = ("symbol", "enabled", "index_exchange", "derivative_exchange", "strike_step", "has_weeklies")


@admin.register(ContractSpec)
class ContractSpecAdmin(ReferenceAdmin):
    list_display = (
        "underlying", "expiring_from", "expiring_to", "lot_units", "freeze_units", "tick", "confirmed", "source",
    )  # fmt: skip
    list_filter = ("underlying", "confirmed")


@admin.register(TradingHours)
class TradingHoursAdmin(ReferenceAdmin):
    list_display = ("exchange", "weekday", "opens", "closes", "effective_from", "effective_to")
    list_filter = ("exchange",)


@admin.register(Holiday)
class HolidayAdmin(ReferenceAdmin):
    """A seeded holiday that is deleted returns with the next load; kind SETTLEMENT keeps the market open on it."""

    list_display = ("date", "exchange", "name", "kind")
    list_filter = ("exchange", "kind")
    date_hierarchy = "date"


@admin.register(SpecialSession)
class SpecialSessionAdmin(ReferenceAdmin):
    list_display = ("date", "exchange", "name", "opens", "closes", "confirmed")
    list_filter = ("exchange", "confirmed")


@admin.register(MisCutoff)
class MisCutoffAdmin(ReferenceAdmin):
    list_display = ("exchange", "broker", "account", "at", "effective_from", "effective_to")
    list_filter = ("exchange",)
    search_fields = ("broker", "account__name")


@admin.register(Instrument)
class InstrumentAdmin(ReadOnlyAdmin):
    list_display = ("exchange", "symbol", "kind", "expiry", "strike", "lot_units", "freeze_units", "tick", "listed_on")
    list_filter = ("underlying", "kind")
    search_fields = ("symbol",)


@admin.register(ViewingSession)
class ViewingSessionAdmin(ReadOnlyAdmin):
    list_display = ("topic", "user", "expires")


@admin.register(FreezeLimit)
class FreezeLimitAdmin(ReferenceAdmin):
    list_display = ("underlying", "freeze_units", "effective_from", "effective_to", "confirmed", "source")
    list_filter = ("underlying", "confirmed")


@admin.register(TermsDispute)
class TermsDisputeAdmin(ReadOnlyAdmin):
    list_display = ("underlying", "expiry", "field", "listed", "held", "state", "decided_by", "until")
    list_filter = ("state", "underlying")


@admin.register(InstrumentChange)
class InstrumentChangeAdmin(ReadOnlyAdmin):
    list_display = ("day", "underlying", "expiry", "kind", "contracts", "before", "after")
    list_filter = ("kind", "underlying")


@admin.register(CalendarProposal)
class CalendarProposalAdmin(ReadOnlyAdmin):
    list_display = ("made_at", "made_by", "source", "state")


@admin.register(Candle1m)
class CandleAdmin(ReadOnlyAdmin):
    list_display = ("key", "minute", "open", "high", "low", "close", "volume", "source", "covered_s")
    list_filter = ("source",)
    search_fields = ("key",)


@admin.register(ChainColumns)
class ChainColumnsAdmin(ReadOnlyAdmin):
    list_display = ("user",)


@admin.register(FailoverRecord)
class FailoverRecordAdmin(ReadOnlyAdmin):
    list_display = ("at", "from_account", "to_account", "reason", "by", "blind_ms")


@admin.register(FeedPin)
class FeedPinAdmin(ReadOnlyAdmin):
    list_display = ("owner", "account", "by", "at")

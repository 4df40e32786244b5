"""What operations recorded, to read. Facts are not edited; an alarm is acknowledged through its service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest
from django_q.models import Failure, Schedule, Success
from unfold.admin import ModelAdmin

from algomirror.ops import alarms
from algomirror.ops.alerts.models import AlertChannel, AlertDelivery, AlertRule
from algomirror.ops.api.models import Command
from algomirror.ops.models import Alarm, Check, Heartbeat, Journal, JournalCheckpoint, JournalSeal, Lease


class FindableAdmin(ModelAdmin):  # type: ignore[misc]
    """What a page of the admin does not name itself, it is searched and filtered by: its texts, its choices, its days."""

    def get_search_fields(self, request: HttpRequest) -> Sequence[str]:
        return super().get_search_fields(request) or searched_by(self.model)

    def get_list_filter(self, request: HttpRequest) -> Sequence[Any]:
        return super().get_list_filter(request) or filtered_by(self.model)


def searched_by(model: type[models.Model]) -> list[str]:
    """Texts of the row itself, or of what it belongs to; never what is hidden from forms, where digests of secrets stand."""
    return _texts(model) or [f"{fk.name}__{name}" for fk in _parents(model) for name in _texts(fk.related_model)[:2]] or ["=pk"]


def filtered_by(model: type[models.Model]) -> list[str]:
    return _kinds(model) or [f"{fk.name}__{name}" for fk in _parents(model) for name in _kinds(fk.related_model)[:2]]


def _texts(model: type[models.Model]) -> list[str]:
    fields = (f for f in model._meta.concrete_fields if isinstance(f, (models.CharField, models.TextField)))
    return [f.name for f in fields if f.editable and not f.choices and f.name != "password"]


def _kinds(model: type[models.Model]) -> list[str]:
    kinds = (models.BooleanField, models.DateField)
    return [f.name for f in model._meta.concrete_fields if f.choices or isinstance(f, kinds)]


def _parents(model: type[models.Model]) -> list[Any]:
    return [f for f in model._meta.concrete_fields if isinstance(f, models.ForeignKey)]


class ReadOnlyAdmin(FindableAdmin):
    """Rows may be looked at, by whom the admin lets in, and nothing else."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Journal)
class JournalAdmin(ReadOnlyAdmin):
    list_display = ("at", "kind", "actor", "subject", "moved_from", "moved_to", "why", "run_id", "account_id", "from_address")
    list_filter = ("kind",)
    search_fields = ("kind", "actor", "subject", "why")


@admin.register(JournalSeal)
class JournalSealAdmin(ReadOnlyAdmin):
    list_display = ("position", "journal_id", "digest")


@admin.register(JournalCheckpoint)
class JournalCheckpointAdmin(ReadOnlyAdmin):
    list_display = ("at", "position", "rows", "last_row_at", "digest")
    list_filter = ("at",)
    search_fields = ("digest",)


@admin.register(Check)
class CheckAdmin(ReadOnlyAdmin):
    list_display = ("name", "account_id", "state", "value", "since", "checked_at")
    list_filter = ("state", "name")


@admin.register(Lease)
class LeaseAdmin(ReadOnlyAdmin):
    list_display = ("name", "holder", "token", "expires")


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    list_display = ("name", "holder", "at", "detail")


@admin.register(Alarm)
class AlarmAdmin(ReadOnlyAdmin):
    list_display = ("last_at", "kind", "text", "seen_times", "state", "acknowledged_by")
    list_filter = ("state", "kind")
    search_fields = ("text", "key")
    actions = ("acknowledge",)

    @admin.action(description="Acknowledge", permissions=["view"])
    def acknowledge(self, request: HttpRequest, queryset: models.QuerySet[Alarm]) -> None:
        who = f"user:{request.user.get_username()}"
        silenced = sum(alarms.acknowledge(pk, who=who) for pk in queryset.values_list("pk", flat=True))
        messages.success(request, f"{silenced} acknowledged.")


# django-q2's own pages offer to send a finished task again and to edit schedules; work is put on queues by beats only.
for task_queue_model in (Success, Failure, Schedule):
    admin.site.unregister(task_queue_model)


@admin.register(Success, Failure)
class TaskAdmin(ReadOnlyAdmin):
    list_display = ("name", "func", "cluster", "started", "stopped", "success")
    search_fields = ("name", "func")


@admin.register(Schedule)
class ScheduleAdmin(ReadOnlyAdmin):
    list_display = ("name", "func", "schedule_type", "minutes", "cluster", "next_run")


@admin.register(Command)
class CommandAdmin(ReadOnlyAdmin):
    list_display = ("started_at", "actor", "method", "path", "state", "status", "attempts")
    list_filter = ("state", "method")
    search_fields = ("actor", "path", "key")


@admin.register(AlertChannel)
class AlertChannelAdmin(ReadOnlyAdmin):
    list_display = ("name", "kind", "enabled", "failures_in_row", "last_sent_at", "last_error")
    # Named one by one: the sealed config is for nobody's eyes.
    fields = ("name", "kind", "enabled", "quiet_from", "quiet_to", "created_at", "failures_in_row", "last_error", "last_sent_at")


@admin.register(AlertRule)
class AlertRuleAdmin(ReadOnlyAdmin):
    list_display = ("channel", "event_class")


@admin.register(AlertDelivery)
class AlertDeliveryAdmin(ReadOnlyAdmin):
    list_display = ("alarm", "channel", "round", "state", "attempts", "not_before", "sent_at", "error")
    list_filter = ("state", "channel")
    list_select_related = ("alarm", "channel")

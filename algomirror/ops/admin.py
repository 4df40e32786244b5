"""What operations recorded, to read. Facts are not edited; an alarm is acknowledged through its service."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest
from django_q.models import Failure, Schedule, Success
from unfold.admin import ModelAdmin

from algomirror.ops import alarms
from algomirror.ops.models import Alarm, Heartbeat, Journal, Lease


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[misc]
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
    list_display = ("at", "kind", "actor", "subject", "moved_from", "moved_to", "why", "run_id", "account_id")
    list_filter = ("kind",)
    search_fields = ("kind", "actor", "subject", "why")


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

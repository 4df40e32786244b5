from __future__ import annotations

from django.contrib import admin

from algomirror.ops.admin import ReadOnlyAdmin
from strategies.webhooks.models import Signal, Webhook


@admin.register(Webhook)
class WebhookAdmin(ReadOnlyAdmin):
    list_display = ("name", "strategy", "owner", "acts", "paper_only", "enabled")
    list_filter = ("enabled", "paper_only")
    search_fields = ("name", "strategy__name")
    # Named one by one: the sealed secrets are for nobody's eyes.
    fields = (
        "name", "strategy", "owner", "public_id", "acts", "accounts", "sources", "weekdays", "opens", "closes",
        "max_starts_a_day", "cool_off_s", "paper_only", "enabled", "former_until", "created_at",
    )  # fmt: skip


@admin.register(Signal)
class SignalAdmin(ReadOnlyAdmin):
    list_display = ("received_at", "hook", "act", "verdict", "why", "source", "run_id")
    list_filter = ("verdict", "act")
    search_fields = ("why", "key", "source")

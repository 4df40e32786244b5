"""Facts of accounts, for looking. Changes go through the pages, which journal them."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import Group

from accounts.models import Account, BrokerRead, Invite, LoginSession, RecoveryCode, SecondFactor, User
from algomirror.ops.admin import ReadOnlyAdmin

# Roles are ours; Django's groups would be fields without effect.
admin.site.unregister(Group)
# One door to sign in: ours counts attempts and locks.
admin.site.login = login_required(admin.site.login)  # type: ignore[method-assign]


@admin.register(User)
class UserAdmin(ReadOnlyAdmin):
    list_display = ("username", "email", "role", "is_active", "last_login")
    list_filter = ("role", "is_active")
    search_fields = ("username", "email")
    fields = ("username", "email", "role", "is_active", "last_login", "date_joined")


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    list_display = ("name", "broker", "mode", "link", "is_primary", "entries_enabled", "last_good_at", "archived_at")
    list_filter = ("mode", "link", "is_primary")
    search_fields = ("name", "broker")
    # Named one by one: the sealed key and its fingerprint are for nobody's eyes.
    fields = (
        "name",
        "owner",
        "broker",
        "host_url",
        "websocket_url",
        "mode",
        "is_primary",
        "backup_rank",
        "entries_enabled",
        "orders_per_second",
        "brokerage_per_order",
        "link",
        "last_good_at",
        "last_failure",
        "failures_in_row",
        "latency_ms",
        "config_version",
        "created_at",
        "archived_at",
    )


@admin.register(BrokerRead)
class BrokerReadAdmin(ReadOnlyAdmin):
    list_display = ("account", "kind", "sequence", "finished_at", "attempted_at", "error")
    list_filter = ("kind",)
    list_select_related = ("account",)
    show_full_result_count = False
    fields = ("account", "kind", "sequence", "started_at", "finished_at", "attempted_at", "error", "rows")


from accounts.tokens import admin as token_admin  # noqa: E402, F401


@admin.register(SecondFactor)
class SecondFactorAdmin(ReadOnlyAdmin):
    list_display = ("user", "created_at", "confirmed_at")
    search_fields = ("user__username",)
    fields = ("user", "created_at", "confirmed_at")


@admin.register(RecoveryCode)
class RecoveryCodeAdmin(ReadOnlyAdmin):
    list_display = ("factor", "used_at")
    list_filter = ("used_at",)
    fields = ("factor", "used_at")


@admin.register(LoginSession)
class LoginSessionAdmin(ReadOnlyAdmin):
    list_display = ("user", "address", "agent", "started_at", "seen_at", "ended_at", "ended_by")
    list_filter = ("is_remembered",)
    search_fields = ("user__username", "address")
    fields = ("user", "address", "agent", "started_at", "seen_at", "is_remembered", "ended_at", "ended_by")


@admin.register(Invite)
class InviteAdmin(ReadOnlyAdmin):
    list_display = ("role", "created_by", "created_at", "expires_at", "used_by", "used_at", "withdrawn_at")
    list_filter = ("role",)
    fields = ("role", "created_by", "created_at", "expires_at", "used_by", "used_at", "withdrawn_at")

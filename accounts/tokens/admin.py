from __future__ import annotations

from django.contrib import admin

from accounts.tokens.models import ApiToken
from algomirror.ops.admin import ReadOnlyAdmin


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    list_display = ("prefix", "user", "name", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at")
    search_fields = ("prefix", "name", "user__username")
    fields = ("prefix", "user", "name", "scopes", "accounts", "created_at", "expires_at", "last_used_at", "revoked_at")

from __future__ import annotations

from django.conf import settings
from django.db import models


class ApiToken(models.Model):
    """A program's right to act for a person. Kept as a hash; the token itself is shown once."""

    class Scope(models.TextChoices):
        READ = "read", "read: look at everything"
        TRADE = "trade", "trade: strategies, runs, tickets, limits"
        EXIT = "exit", "exit: cancel, close, exits, kill switch"
        ADMIN = "admin", "admin: accounts, releases"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="api_tokens")
    name = models.CharField(max_length=60)
    prefix = models.CharField(max_length=8, unique=True)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.JSONField(default=list)
    accounts = models.ManyToManyField("accounts.Account", related_name="+", blank=True, help_text="empty: all accounts")
    # A token that was limited stays limited, whatever becomes of the accounts it was limited to.
    is_limited = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"am_{self.prefix}… of {self.user_id}"

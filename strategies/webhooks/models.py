from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from algomirror.ops.sight import Sighted


class WebhookManager(Sighted["Webhook"]):
    """A webhook is a limited person's when its strategy is, and no account of its own is another's."""

    def within(self, ids: frozenset[int]) -> Q:
        from strategies.models import Strategy  # which imports this module

        others = Webhook.accounts.through.objects.filter(webhook=models.OuterRef("pk")).exclude(account_id__in=ids)
        return Q(strategy__in=Strategy.objects.all()) & ~Q(models.Exists(others))


class Webhook(models.Model):
    """A URL by which a program outside may start, stop and leave one strategy."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="webhooks")
    strategy = models.ForeignKey("strategies.Strategy", on_delete=models.PROTECT, related_name="webhooks")
    name = models.CharField(max_length=60)
    public_id = models.CharField(max_length=32, unique=True)
    # Sealed and not hashed: a signature can only be checked with the secret itself.
    sealed_secret = models.BinaryField(editable=False)
    sealed_former = models.BinaryField(null=True, editable=False)
    former_until = models.DateTimeField(null=True, blank=True)
    acts = models.JSONField(default=list)
    accounts = models.ManyToManyField("accounts.Account", related_name="+", blank=True, help_text="empty: those of the strategy")
    sources = models.JSONField(default=list, help_text="networks; empty: any")
    weekdays = models.JSONField(default=list, help_text="0 is Monday; empty: all")
    opens = models.TimeField(null=True, blank=True, help_text="India; entries only")
    closes = models.TimeField(null=True, blank=True, help_text="India; entries only")
    max_starts_a_day = models.PositiveSmallIntegerField(default=5, validators=[MinValueValidator(1), MaxValueValidator(200)])
    cool_off_s = models.PositiveIntegerField(default=60, validators=[MaxValueValidator(86_400)])
    paper_only = models.BooleanField(default=True)
    enabled = models.BooleanField(default=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()

    objects = WebhookManager()

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="webhook_name_unique_per_owner")]

    def __str__(self) -> str:
        return self.name


class Signal(models.Model):
    """One request to a webhook, and what became of it. The body is kept without its secret."""

    public_id = models.CharField(max_length=32, unique=True)
    hook = models.ForeignKey(Webhook, on_delete=models.PROTECT, related_name="signals")
    received_at = models.DateTimeField(db_index=True)
    source = models.CharField(max_length=45, blank=True)
    act = models.CharField(max_length=8, blank=True)
    account_id = models.BigIntegerField(null=True)
    key = models.CharField(max_length=80)
    body = models.CharField(max_length=1000, blank=True)
    verdict = models.CharField(max_length=12)
    why = models.CharField(max_length=500, blank=True)
    run_id = models.BigIntegerField(null=True)
    goal_ids = models.JSONField(default=list)
    acted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["hook", "key"], name="one_signal_per_key")]
        indexes = [models.Index(fields=["hook", "act", "received_at"], name="signals_by_act")]

    def __str__(self) -> str:
        return f"{self.act or 'signal'} {self.verdict}"

"""What the trader wants. A definition never holds live state."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from risk.models import Action, RunLimits


class Strategy(models.Model):
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="strategies")
    name = models.CharField(max_length=80)
    description = models.CharField(max_length=500, blank=True)
    entries_enabled = models.BooleanField(default=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "strategies"
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="strategy_name_unique_per_owner")]

    def __str__(self) -> str:
        return self.name

    @property
    def current(self) -> Version | None:
        return self.versions.order_by("-number").first()


class Version(models.Model):
    """One saved state of a strategy; never edited after a run used it, saving makes the next."""

    class Product(models.TextChoices):
        NRML = "NRML"
        MIS = "MIS"

    strategy = models.ForeignKey(Strategy, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    product = models.CharField(max_length=4, choices=Product)
    accounts = models.ManyToManyField("accounts.Account", related_name="+")
    max_loss = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    max_profit = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    limit_scope = models.CharField(max_length=4, choices=RunLimits.Scope, default=RunLimits.Scope.RUN)
    max_loss_action = models.CharField(max_length=5, choices=Action, default=Action.EXIT)
    max_profit_action = models.CharField(max_length=5, choices=Action, default=Action.EXIT)
    blind_policy = models.CharField(max_length=7, choices=RunLimits.Blind, default=RunLimits.Blind.HOLD)
    hedge_wait_s = models.PositiveSmallIntegerField(default=10, validators=[MinValueValidator(2), MaxValueValidator(120)])
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["strategy", "number"], name="version_number_unique"),
            models.CheckConstraint(condition=Q(max_loss__isnull=True) | Q(max_loss__gt=0), name="version_max_loss_positive"),
            models.CheckConstraint(
                condition=Q(max_profit__isnull=True) | Q(max_profit__gt=0), name="version_max_profit_positive"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.strategy} v{self.number}"


class Leg(models.Model):
    class Kind(models.TextChoices):
        CALL = "CE"
        PUT = "PE"

    class Slot(models.TextChoices):
        CURRENT_WEEK = "CURRENT_WEEK", "current week"
        NEXT_WEEK = "NEXT_WEEK", "next week"
        CURRENT_MONTH = "CURRENT_MONTH", "current month"
        NEXT_MONTH = "NEXT_MONTH", "next month"

    class Strike(models.TextChoices):
        ATM = "ATM"
        ITM = "ITM"
        OTM = "OTM"

    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="legs")
    number = models.PositiveSmallIntegerField()
    underlying = models.ForeignKey("marketdata.Underlying", on_delete=models.PROTECT)
    kind = models.CharField(max_length=3, choices=Kind)
    slot = models.CharField(max_length=13, choices=Slot)
    action = models.CharField(max_length=4, choices=[("BUY", "BUY"), ("SELL", "SELL")])
    strike_mode = models.CharField(max_length=3, choices=Strike, default=Strike.ATM)
    strike_offset = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(20)])
    lots = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1), MaxValueValidator(100)])
    # Numbers of the short legs this long leg covers; empty on shorts.
    hedges = models.JSONField(default=list)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["version", "number"], name="leg_number_unique"),
            models.CheckConstraint(condition=Q(lots__gte=1, lots__lte=100), name="leg_lots_1_to_100"),
            models.CheckConstraint(
                condition=Q(strike_mode="ATM", strike_offset=0)
                | (~Q(strike_mode="ATM") & Q(strike_offset__gte=1, strike_offset__lte=20)),
                name="leg_offset_matches_mode",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.lots} {self.underlying_id} {self.kind}"


class Plan(models.Model):
    """A version (or a ticket) resolved at one instant for named accounts: exactly what would be sent.

    `lines` is the frozen content that `digest` covers; `start` sends precisely these or refuses.
    """

    class Kind(models.TextChoices):
        STRATEGY = "STRATEGY"
        TICKET = "TICKET"

    key = models.CharField(max_length=32, unique=True)
    kind = models.CharField(max_length=8, choices=Kind)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="plans")
    version = models.ForeignKey(Version, on_delete=models.PROTECT, null=True, related_name="plans")
    snapshot = models.JSONField()
    lines = models.JSONField()
    skipped = models.JSONField(default=list)
    terms = models.JSONField(default=dict)
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    run = models.OneToOneField("trading.Run", on_delete=models.PROTECT, null=True, related_name="plan")

    def __str__(self) -> str:
        return f"plan {self.key[:8]}"

"""Margin figures, grades, charge rates, and margin held by runs whose orders the broker may not have counted yet."""

from __future__ import annotations

from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from algomirror.ops.sight import Sighted


class MarginRequirement(models.Model):
    """Rupees one lot blocks, on the day its contract expires or on other days. Edited by people."""

    class Kind(models.TextChoices):
        SHORT_SINGLE = "SHORT_SINGLE", "one short call or put"
        SHORT_PAIR = "SHORT_PAIR", "short call and put together"
        FUTURE = "FUTURE", "future"
        OPTION_BUY = "OPTION_BUY", "bought option"

    underlying = models.CharField(max_length=20)
    kind = models.CharField(max_length=12, choices=Kind)
    is_expiry = models.BooleanField()
    rupees = models.DecimalField(max_digits=12, decimal_places=2, validators=[MinValueValidator(Decimal(1))])

    class Meta:
        ordering = ["underlying", "kind", "is_expiry"]
        constraints = [
            models.UniqueConstraint(fields=["underlying", "kind", "is_expiry"], name="one_margin_figure"),
            models.CheckConstraint(condition=Q(rupees__gt=0), name="margin_figure_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.underlying} {self.kind}{' on expiry' if self.is_expiry else ''}: {self.rupees}"


class TradeGrade(models.Model):
    """How much of an account's margin a strategy may take."""

    class Basis(models.TextChoices):
        USABLE = "USABLE", "usable margin"
        CASH = "CASH", "cash"

    name = models.CharField(max_length=10, unique=True)
    share = models.DecimalField(
        max_digits=5,
        decimal_places=2,
        validators=[MinValueValidator(Decimal("0.01")), MaxValueValidator(Decimal(100))],
        help_text="percent of the basis",
    )
    basis = models.CharField(max_length=6, choices=Basis, default=Basis.USABLE)
    description = models.CharField(max_length=120, blank=True)
    is_standard = models.BooleanField(default=False, editable=False)
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-share", "name"]
        constraints = [models.CheckConstraint(condition=Q(share__gt=0, share__lte=100), name="grade_share_0_to_100")]

    def __str__(self) -> str:
        return f"{self.name} {self.share:f}%"

    @property
    def label(self) -> str:
        """Made from the share, so that a higher share can never be called safer."""
        return "aggressive" if self.share >= 80 else "moderate" if self.share >= 50 else "conservative"


class MarginReservation(models.Model):
    """Margin a started run holds until a funds read that began after its entry shows what was really blocked."""

    account = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, related_name="reservations")
    run = models.ForeignKey("trading.Run", on_delete=models.PROTECT, related_name="reservations")
    rupees = models.DecimalField(max_digits=14, decimal_places=2)
    created_at = models.DateTimeField()
    entered_at = models.DateTimeField(null=True, help_text="when the run was first seen to have ended its entry")
    released_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "run"], name="one_reservation_per_run_and_account"),
            models.CheckConstraint(condition=Q(rupees__gte=0), name="reservation_not_negative"),
        ]
        indexes = [models.Index(fields=["account"], condition=Q(released_at__isnull=True), name="reservations_held")]

    def __str__(self) -> str:
        return f"{self.rupees} of account {self.account_id} for run {self.run_id}"


class MarginClaim(models.Model):
    """One row per account, changed first by whoever reserves: two racing starts add up instead of overlooking each other."""

    account = models.OneToOneField("accounts.Account", on_delete=models.PROTECT, related_name="margin_claim")
    claims = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"claims on account {self.account_id}"


class MarginSample(models.Model):
    """What an account had in use at the start of a five-minute slot, from funds that were read anyway."""

    account = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, related_name="margin_samples")
    at = models.DateTimeField()
    usable = models.DecimalField(max_digits=16, decimal_places=2)
    used = models.DecimalField(max_digits=16, decimal_places=2)
    reserved = models.DecimalField(max_digits=16, decimal_places=2)
    share = models.DecimalField(max_digits=6, decimal_places=1, help_text="percent in use")

    objects = Sighted["MarginSample"]()

    class Meta:
        ordering = ["at"]
        constraints = [models.UniqueConstraint(fields=["account", "at"], name="one_margin_sample_per_slot")]

    def __str__(self) -> str:
        return f"account {self.account_id} at {self.at.isoformat()}: {self.share} %"


class ChargeRate(models.Model):
    """One statutory rate from a date on, until a later row takes over."""

    class Item(models.TextChoices):
        STT = "STT", "securities transaction tax, sell side"
        EXERCISE_STT = "EXERCISE_STT", "securities transaction tax on exercise"
        TRANSACTION = "TRANSACTION", "exchange transaction"
        SEBI = "SEBI", "SEBI fee"
        STAMP = "STAMP", "stamp duty, buy side"
        GST = "GST", "GST on brokerage, transaction and SEBI fee"

    item = models.CharField(max_length=12, choices=Item)
    exchange = models.CharField(max_length=12)
    is_future = models.BooleanField(default=False)
    share = models.DecimalField(max_digits=12, decimal_places=9, help_text="of the value; 0.0015 is 0.15 %")
    effective_from = models.DateField()

    class Meta:
        ordering = ["exchange", "is_future", "item", "-effective_from"]
        constraints = [
            models.UniqueConstraint(fields=["item", "exchange", "is_future", "effective_from"], name="one_rate_per_start"),
            models.CheckConstraint(condition=Q(share__gte=0, share__lt=1), name="rate_is_a_share"),
        ]

    def __str__(self) -> str:
        return f"{self.item} {self.exchange} from {self.effective_from}: {self.share}"

"""What we refuse, when we leave, and the record of both."""

from __future__ import annotations

from typing import Any, NoReturn

from django.db import models
from django.db.models import Q


class TradingState(models.Model):
    """May entries go out? One row for the platform (account empty) and one per account; the stricter wins.

    Written by risk.services.switch only. Back to ACTIVE only by a person.
    """

    class State(models.TextChoices):
        ACTIVE = "ACTIVE"
        REDUCING = "REDUCING"
        HALTED = "HALTED"

    account = models.OneToOneField(
        "accounts.Account", on_delete=models.PROTECT, null=True, blank=True, related_name="trading_state"
    )
    state = models.CharField(max_length=8, choices=State, default=State.ACTIVE)
    since = models.DateTimeField()
    by = models.CharField(max_length=80)
    why = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(models.Value(1), condition=Q(account__isnull=True), name="one_platform_state"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id or 'platform'}: {self.state}"


class Action(models.TextChoices):
    EXIT = "EXIT"
    ALERT = "ALERT"


class RunLimits(models.Model):
    """Limits in force for one run. Rupees, stored positive; empty means off, 0 is refused."""

    class Scope(models.TextChoices):
        RUN = "RUN"
        BOOK = "BOOK"

    class Blind(models.TextChoices):
        HOLD = "HOLD"
        FLATTEN = "FLATTEN"

    run = models.OneToOneField("trading.Run", on_delete=models.PROTECT, related_name="limits")
    max_loss = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    max_profit = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    scope = models.CharField(max_length=4, choices=Scope, default=Scope.RUN)
    max_loss_action = models.CharField(max_length=5, choices=Action, default=Action.EXIT)
    max_profit_action = models.CharField(max_length=5, choices=Action, default=Action.EXIT)
    blind_policy = models.CharField(max_length=7, choices=Blind, default=Blind.HOLD)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(max_loss__isnull=True) | Q(max_loss__gt=0), name="max_loss_positive"),
            models.CheckConstraint(condition=Q(max_profit__isnull=True) | Q(max_profit__gt=0), name="max_profit_positive"),
        ]

    def __str__(self) -> str:
        return f"limits of run {self.run_id}"


class GuardState(models.Model):
    """One rule watching one run (book empty) or one book of it. Written by risk.services.sweep only."""

    class State(models.TextChoices):
        WAITING = "WAITING"
        ARMED = "ARMED"
        TRIPPED = "TRIPPED"

    run = models.ForeignKey("trading.Run", on_delete=models.PROTECT, related_name="guards")
    book = models.ForeignKey("trading.Book", on_delete=models.PROTECT, null=True, blank=True, related_name="guards")
    rule = models.CharField(max_length=16)
    # "run" or "book:<id>": a unique constraint sees no two NULLs as equal.
    scope_key = models.CharField(max_length=32)
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    level = models.DecimalField(max_digits=18, decimal_places=6, null=True)
    value = models.DecimalField(max_digits=18, decimal_places=6, null=True, help_text="last complete value; empty while unknown")
    inputs = models.JSONField(default=dict)
    armed_at = models.DateTimeField(null=True)
    evaluated_at = models.DateTimeField(null=True)
    tripped_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "rule", "scope_key"], name="one_guard_per_rule_and_scope")]

    def __str__(self) -> str:
        return f"{self.rule} of run {self.run_id} ({self.scope_key})"


class Blindness(models.Model):
    """Since when a run's mark has been incomplete, and what was done about it. Written by risk.services.blind only.

    One row per run; `since` is empty while every open leg has a fresh price.
    """

    run = models.OneToOneField("trading.Run", on_delete=models.PROTECT, related_name="blindness")
    since = models.DateTimeField(null=True)
    missing = models.JSONField(default=list)
    announced_at = models.DateTimeField(null=True)
    rung_at = models.DateTimeField(null=True)
    acted_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "blindness"

    def __str__(self) -> str:
        return f"run {self.run_id} {'blind since ' + self.since.isoformat() if self.since else 'sees'}"


class RiskEventQuerySet(models.QuerySet["RiskEvent"]):
    def delete(self) -> NoReturn:
        raise TypeError("risk events are kept for ever")


class RiskEvent(models.Model):
    """One decision of the risk engine with the numbers it used. Never changed, never deleted."""

    at = models.DateTimeField(db_index=True)
    run = models.ForeignKey("trading.Run", on_delete=models.PROTECT, null=True, related_name="risk_events")
    book = models.ForeignKey("trading.Book", on_delete=models.PROTECT, null=True, related_name="risk_events")
    account = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, null=True, related_name="risk_events")
    kind = models.CharField(max_length=20)
    # Which guard tripped, once per run: the latch in the database behind the compare-and-set.
    guard = models.OneToOneField(GuardState, on_delete=models.PROTECT, null=True, related_name="event")
    threshold = models.DecimalField(max_digits=18, decimal_places=6, null=True)
    value = models.DecimalField(max_digits=18, decimal_places=6, null=True)
    action = models.CharField(max_length=5, choices=[("EXIT", "EXIT"), ("ALERT", "ALERT"), ("NONE", "NONE")])
    seen_by = models.CharField(max_length=20, help_text="tick, sweep or command: which evaluator came first")
    numbers = models.JSONField(default=dict)
    goal_ids = models.JSONField(default=list)

    objects = RiskEventQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.kind} of run {self.run_id}"

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("risk events are kept for ever")

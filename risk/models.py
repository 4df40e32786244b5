"""What we refuse, when we leave, and the record of both."""

from __future__ import annotations

from typing import Any, NoReturn

from django.db import models
from django.db.models import Q

from algomirror.ops import hooks
from algomirror.ops.sight import Sighted, SightedByRun, SightedOrHouse, seen
from risk.domain.sentences import RULE_NAMES
from risk.domain.snapshot import MONEY
from risk.margin_models import ChargeRate, MarginClaim, MarginRequirement, MarginReservation, MarginSample, TradeGrade

__all__ = [
    "AccountLimits",
    "Action",
    "Blindness",
    "ChargeRate",
    "EntryLock",
    "GuardState",
    "MarginClaim",
    "MarginRequirement",
    "MarginReservation",
    "MarginSample",
    "RiskEvent",
    "RunExtremes",
    "RunLimits",
    "TradeGrade",
    "TradingState",
]


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

    objects = SightedOrHouse["TradingState"]()

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
    # risk.domain.terms: RiskTerms (may change while the run is open) and Structure (fixed when it was armed).
    terms = models.JSONField(default=dict)
    structure = models.JSONField(default=dict)

    objects = SightedByRun["RunLimits"]()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(max_loss__isnull=True) | Q(max_loss__gt=0), name="max_loss_positive"),
            models.CheckConstraint(condition=Q(max_profit__isnull=True) | Q(max_profit__gt=0), name="max_profit_positive"),
        ]

    def __str__(self) -> str:
        return f"limits of run {self.run_id}"


class GuardState(models.Model):
    """One rule watching one run (book empty) or one book of it. Written by risk.services.sweep only, but for its pause."""

    class State(models.TextChoices):
        WAITING = "WAITING"
        ARMED = "ARMED"
        TRIPPED = "TRIPPED"

    run = models.ForeignKey("trading.Run", on_delete=models.PROTECT, related_name="guards")
    book = models.ForeignKey("trading.Book", on_delete=models.PROTECT, null=True, blank=True, related_name="guards")
    leg = models.PositiveSmallIntegerField(null=True)
    rule = models.CharField(max_length=16)
    # "run", "book:<id>", "book:<id>:leg:<n>" or "expiry:<date>": a unique constraint sees no two NULLs as equal.
    scope_key = models.CharField(max_length=32)
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    level = models.DecimalField(max_digits=18, decimal_places=6, null=True)
    value = models.DecimalField(max_digits=18, decimal_places=6, null=True, help_text="last complete value; empty while unknown")
    inputs = models.JSONField(default=dict)
    # Rises with every note of `inputs`: two evaluators that both saw a peak cannot overwrite each other unseen.
    noted = models.PositiveIntegerField(default=0)
    armed_at = models.DateTimeField(null=True)
    evaluated_at = models.DateTimeField(null=True)
    tripped_at = models.DateTimeField(null=True)
    # Of the last pause, in the guard's own row: there is no other to look for, so none that could fail to be found.
    # Written by risk.services.pausing; over when `paused_until` is past, without anybody's doing.
    paused_until = models.DateTimeField(null=True)
    paused_by = models.CharField(max_length=80, blank=True, default="")
    paused_why = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "rule", "scope_key"], name="one_guard_per_rule_and_scope"),
            models.CheckConstraint(
                condition=Q(paused_until__isnull=True) | ~Q(paused_by="") & ~Q(paused_why=""), name="pause_says_who_and_why"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule} of run {self.run_id} ({self.scope_key})"


class AccountLimits(models.Model):
    """Limits above the run: one row per account, one for all accounts together (account empty). Empty is off."""

    account = models.OneToOneField(
        "accounts.Account", on_delete=models.PROTECT, null=True, blank=True, related_name="risk_limits"
    )
    daily_loss = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    daily_profit = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    max_lots = models.PositiveIntegerField(null=True, blank=True, help_text="open and planned, all contracts")
    max_notional = models.DecimalField(max_digits=16, decimal_places=2, null=True, blank=True, help_text="strike x units")
    orders_per_minute = models.PositiveIntegerField(null=True, blank=True)
    orders_per_day = models.PositiveIntegerField(null=True, blank=True)
    max_runs = models.PositiveIntegerField(null=True, blank=True)
    losing_exits = models.PositiveSmallIntegerField(null=True, blank=True, help_text="runs lost in a row today")
    cool_down_minutes = models.PositiveSmallIntegerField(null=True, blank=True)
    max_utilisation = models.PositiveSmallIntegerField(null=True, blank=True, help_text="percent of margin entries may use")
    margin_alarm = models.PositiveSmallIntegerField(null=True, blank=True, help_text="percent of margin in use that rings")
    changed_at = models.DateTimeField()
    changed_by = models.CharField(max_length=80)

    objects = SightedOrHouse["AccountLimits"]()

    class Meta:
        verbose_name_plural = "account limits"
        constraints = [
            models.UniqueConstraint(models.Value(1), condition=Q(account__isnull=True), name="one_platform_limits"),
            models.CheckConstraint(condition=Q(daily_loss__isnull=True) | Q(daily_loss__gt=0), name="daily_loss_positive"),
            models.CheckConstraint(condition=Q(daily_profit__isnull=True) | Q(daily_profit__gt=0), name="daily_profit_positive"),
        ]

    def __str__(self) -> str:
        return f"limits of {'account ' + str(self.account_id) if self.account_id else 'all accounts'}"


class GroupLimits(models.Model):
    """What the accounts of a group may lose or make together in a day. Empty is off.

    The group by its number: groups belong to strategies, above this app.
    """

    group_id = models.PositiveIntegerField(unique=True)
    daily_loss = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    daily_profit = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    changed_at = models.DateTimeField()
    changed_by = models.CharField(max_length=80)

    class Meta:
        verbose_name_plural = "group limits"
        constraints = [
            models.CheckConstraint(condition=Q(daily_loss__isnull=True) | Q(daily_loss__gt=0), name="group_loss_positive"),
            models.CheckConstraint(condition=Q(daily_profit__isnull=True) | Q(daily_profit__gt=0), name="group_profit_positive"),
        ]

    def __str__(self) -> str:
        return f"limits of group {self.group_id}"

    @property
    def is_on(self) -> bool:
        return self.daily_loss is not None or self.daily_profit is not None


class EntryLock(models.Model):
    """No entries until a moment, because a limit above the run was reached. Survives restarts; ends by itself.

    Written by risk.services.daily only. One row per account, mode, day and kind: the latch of the breach. A group's breach locks
    each of its accounts.
    """

    class Kind(models.TextChoices):
        DAILY_LOSS = "DAILY_LOSS"
        DAILY_PROFIT = "DAILY_PROFIT"
        COOL_DOWN = "COOL_DOWN"

    account = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, null=True, related_name="entry_locks")
    # "platform", "account:<id>" or "group:<id>:account:<id>", and for cool-downs the run that began it: a unique constraint
    # sees no two NULLs as equal.
    scope_key = models.CharField(max_length=48)
    trading_day = models.DateField()
    # Of the books that reached the limit, whose entries it locks; empty: whatever the account's mode.
    mode = models.CharField(max_length=5, blank=True, default="")
    kind = models.CharField(max_length=12, choices=Kind)
    since = models.DateTimeField()
    until = models.DateTimeField()
    why = models.CharField(max_length=300)
    released_by = models.CharField(max_length=80, blank=True)

    objects = SightedOrHouse["EntryLock"]()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["scope_key", "mode", "trading_day", "kind"], name="one_lock_per_day_and_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.scope_key} until {self.until.isoformat()}"


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

    objects = SightedByRun["Blindness"]()

    class Meta:
        verbose_name_plural = "blindness"

    def __str__(self) -> str:
        return f"run {self.run_id} {'blind since ' + self.since.isoformat() if self.since else 'sees'}"


class RunExtremes(models.Model):
    """The best and the worst a run was seen at on complete marks. Written by risk.services.extremes only.

    `drawdown` is the deepest fall from the best so far; the best starts at 0.
    """

    run = models.OneToOneField("trading.Run", on_delete=models.PROTECT, related_name="extremes")
    highest = models.DecimalField(max_digits=14, decimal_places=2, default=0)
    lowest = models.DecimalField(max_digits=14, decimal_places=2, default=0)
    drawdown = models.DecimalField(max_digits=14, decimal_places=2, default=0)

    objects = SightedByRun["RunExtremes"]()

    class Meta:
        verbose_name_plural = "run extremes"

    def __str__(self) -> str:
        return f"run {self.run_id}: {self.lowest} to {self.highest}"


class RiskEventQuerySet(models.QuerySet["RiskEvent"]):
    def delete(self) -> NoReturn:
        raise TypeError("risk events are kept for ever")


class RiskEventManager(Sighted["RiskEvent"]):
    def get_queryset(self) -> RiskEventQuerySet:
        rows, ids = RiskEventQuerySet(self.model, using=self._db), seen()
        return rows if ids is None else rows.filter(self.within(ids))

    def within(self, ids: frozenset[int]) -> Q:
        runs = Q(account=None, book=None) & (Q(run=None) | Q(run__in=hooks.call("seen_runs")))
        return Q(account__in=ids) | Q(account=None, book__account__in=ids) | runs


class RiskEvent(models.Model):
    """One decision of the risk engine with the numbers it used. Never deleted, and never changed but for `goal_ids` of a limit
    above the run: it locks first, and writes them down when its books were asked to leave."""

    at = models.DateTimeField(db_index=True)
    run = models.ForeignKey("trading.Run", on_delete=models.PROTECT, null=True, related_name="risk_events")
    book = models.ForeignKey("trading.Book", on_delete=models.PROTECT, null=True, related_name="risk_events")
    account = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, null=True, related_name="risk_events")
    leg = models.PositiveSmallIntegerField(null=True)
    kind = models.CharField(max_length=20)
    # Which guard tripped, once per run: the latch in the database behind the compare-and-set.
    guard = models.OneToOneField(GuardState, on_delete=models.PROTECT, null=True, related_name="event")
    threshold = models.DecimalField(max_digits=18, decimal_places=6, null=True)
    value = models.DecimalField(max_digits=18, decimal_places=6, null=True)
    action = models.CharField(max_length=5, choices=[("EXIT", "EXIT"), ("ALERT", "ALERT"), ("NONE", "NONE")])
    seen_by = models.CharField(max_length=20, help_text="tick, sweep or command: which evaluator came first")
    numbers = models.JSONField(default=dict)
    goal_ids = models.JSONField(default=list)
    # Book id → {"EXCHANGE:SYMBOL:PRODUCT": units to leave}, where less than the whole book was left; else empty.
    targets = models.JSONField(default=dict)

    objects = RiskEventManager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.kind} of run {self.run_id}"

    @property
    def name(self) -> str:
        return RULE_NAMES.get(self.kind, self.kind.replace("_", " ").lower())

    @property
    def is_money(self) -> bool:
        """Its value and threshold are rupees of P&L; else prices."""
        return self.kind in MONEY or self.kind == "ACCOUNT_LIMIT"

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("risk events are kept for ever")

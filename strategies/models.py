"""What the trader wants. A definition never holds live state."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from algomirror.ops.sight import Sighted
from risk.models import Action, MarginRequirement, RunLimits


class StrategyManager(Sighted["Strategy"]):
    """A strategy is a limited person's when no version of it names an account that is not theirs."""

    def within(self, ids: frozenset[int]) -> Q:
        others = StrategyAccount.objects.filter(version__strategy=models.OuterRef("pk")).exclude(account_id__in=ids)
        return ~Q(models.Exists(others))


class Strategy(models.Model):
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="strategies")
    name = models.CharField(max_length=80)
    description = models.CharField(max_length=500, blank=True)
    tags = models.JSONField(default=list, help_text="words to find it by")
    is_template = models.BooleanField(default=False, help_text="a pattern to start from; it is never traded itself")
    entries_enabled = models.BooleanField(default=True)
    # Since when its schedule counts; empty: started by hand only.
    scheduled_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = StrategyManager()

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

    class Condition(models.TextChoices):
        ANY = "ANY", "any day"
        EXPIRY = "EXPIRY", "only when a leg expires that day"
        NON_EXPIRY = "NON_EXPIRY", "only when no leg expires that day"

    class Sizing(models.TextChoices):
        FIXED_LOTS = "FIXED_LOTS", "fixed lots"
        GRADE = "GRADE", "by margin, with a grade"

    class Allocation(models.TextChoices):
        EQUAL = "EQUAL", "equal: each account its lots × factor"
        RATIO = "RATIO", "ratio: the total by factor"
        PERCENT = "PERCENT", "percent: the total by percent"
        CUSTOM = "CUSTOM", "custom: whole numbers as typed"
        AVAILABLE_MARGIN = "AVAILABLE_MARGIN", "by usable margin"

    class MarginPolicy(models.TextChoices):
        LOWER_OF_BOTH = "LOWER_OF_BOTH", "the smaller size of table and broker"
        BROKER = "BROKER", "the broker's basket margin"
        TABLE = "TABLE", "our own table"

    class Shortfall(models.TextChoices):
        SKIP_ACCOUNT = "SKIP_ACCOUNT", "skip the account"
        REDUCE = "REDUCE", "take what fits"
        REFUSE_ALL = "REFUSE_ALL", "refuse the whole plan"

    strategy = models.ForeignKey(Strategy, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    product = models.CharField(max_length=4, choices=Product)
    accounts = models.ManyToManyField("accounts.Account", through="strategies.StrategyAccount", related_name="+")
    market_condition = models.CharField(max_length=10, choices=Condition, default=Condition.ANY)
    sizing = models.CharField(max_length=10, choices=Sizing, default=Sizing.FIXED_LOTS)
    grade = models.ForeignKey("risk.TradeGrade", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    allocation = models.CharField(max_length=16, choices=Allocation, default=Allocation.EQUAL)
    margin_policy = models.CharField(max_length=13, choices=MarginPolicy, default=MarginPolicy.LOWER_OF_BOTH)
    shortfall = models.CharField(max_length=12, choices=Shortfall, default=Shortfall.SKIP_ACCOUNT)
    max_loss = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    max_profit = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    limit_scope = models.CharField(max_length=4, choices=RunLimits.Scope, default=RunLimits.Scope.RUN)
    max_loss_action = models.CharField(max_length=5, choices=Action, default=Action.EXIT)
    max_profit_action = models.CharField(max_length=5, choices=Action, default=Action.EXIT)
    blind_policy = models.CharField(max_length=7, choices=RunLimits.Blind, default=RunLimits.Blind.HOLD)
    # risk.domain.terms.RiskTerms
    risk_terms = models.JSONField(default=dict)
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


class StrategyAccount(models.Model):
    """One account of a version with its factor: a multiplier, a weight or a percentage, as the allocation reads it."""

    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="members")
    account = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, related_name="+")
    factor = models.DecimalField(max_digits=8, decimal_places=3, default=Decimal(1), validators=[MinValueValidator(Decimal(0))])

    class Meta:
        # The table Django made for the plain relation, with one column more.
        db_table = "strategies_version_accounts"
        unique_together = [("version", "account")]

    def __str__(self) -> str:
        return f"{self.account_id} × {self.factor:f}"


class Schedule(models.Model):
    """When a version starts by itself, in Indian time. It counts only while its strategy is scheduled."""

    version = models.OneToOneField(Version, on_delete=models.PROTECT, related_name="schedule")
    weekdays = models.JSONField(default=list, help_text="0 is Monday")
    entry_time = models.TimeField()
    latest_entry_time = models.TimeField()
    days_to_expiry_min = models.PositiveSmallIntegerField(null=True, blank=True)
    days_to_expiry_max = models.PositiveSmallIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(entry_time__lt=models.F("latest_entry_time")), name="schedule_entry_before_latest"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version} at {self.entry_time:%H:%M}"


class ScheduledStart(models.Model):
    """What became of one trading day of a scheduled strategy. One row a day: the claim of whoever starts it."""

    class State(models.TextChoices):
        WAITING = "WAITING", "waiting for the gate"
        STARTED = "STARTED"
        MISSED = "MISSED"

    strategy = models.ForeignKey(Strategy, on_delete=models.PROTECT, related_name="scheduled_starts")
    trading_day = models.DateField()
    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    tries = models.PositiveIntegerField(default=0)
    tried_at = models.DateTimeField(null=True)
    why = models.CharField(max_length=500, blank=True)
    run = models.OneToOneField("trading.Run", on_delete=models.PROTECT, null=True, related_name="scheduled_start")

    class Meta:
        ordering = ["-trading_day", "strategy"]
        constraints = [models.UniqueConstraint(fields=["strategy", "trading_day"], name="one_scheduled_start_per_day")]

    def __str__(self) -> str:
        return f"{self.strategy_id} on {self.trading_day}: {self.state}"


class DayTold(models.Model):
    """The end-of-day report of one account and day was told, or there was nothing to tell. One row a day: the claim."""

    account = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, related_name="days_told")
    trading_day = models.DateField()
    at = models.DateTimeField()
    was_told = models.BooleanField(help_text="no: nothing happened that day")

    objects = Sighted["DayTold"]()

    class Meta:
        verbose_name_plural = "days told"
        ordering = ["-trading_day", "account"]
        constraints = [models.UniqueConstraint(fields=["account", "trading_day"], name="one_report_per_account_and_day")]

    def __str__(self) -> str:
        return f"{self.trading_day} of account {self.account_id}"


class GroupManager(Sighted["AccountGroup"]):
    def within(self, ids: frozenset[int]) -> Q:
        others = GroupMember.objects.filter(group=models.OuterRef("pk")).exclude(account_id__in=ids)
        return ~Q(models.Exists(others))


class AccountGroup(models.Model):
    """Accounts that are chosen together, each with its factor. A version keeps its own copy."""

    name = models.CharField(max_length=40, unique=True)

    objects = GroupManager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class GroupMember(models.Model):
    group = models.ForeignKey(AccountGroup, on_delete=models.PROTECT, related_name="members")
    account = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, related_name="groups")
    factor = models.DecimalField(max_digits=8, decimal_places=3, default=Decimal(1), validators=[MinValueValidator(Decimal(0))])

    class Meta:
        ordering = ["account_id"]
        constraints = [models.UniqueConstraint(fields=["group", "account"], name="one_membership")]

    def __str__(self) -> str:
        return f"{self.account_id} in {self.group_id}"


class BasketFigure(models.Model):
    """What a broker last said that one lot blocks, where the basket it was asked for is of one kind of our margin table."""

    account = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, related_name="+")
    underlying = models.CharField(max_length=20)
    kind = models.CharField(max_length=12, choices=MarginRequirement.Kind)
    is_expiry = models.BooleanField("on expiry day")
    rupees = models.DecimalField("₹ a lot", max_digits=14, decimal_places=2)
    symbols = models.CharField(max_length=120, help_text="the contracts that were asked for")
    asked_at = models.DateTimeField()

    objects = Sighted["BasketFigure"]()

    class Meta:
        ordering = ["underlying", "kind", "is_expiry", "-asked_at"]
        constraints = [
            models.UniqueConstraint(fields=["account", "underlying", "kind", "is_expiry"], name="one_last_basket_figure"),
            models.CheckConstraint(condition=Q(rupees__gt=0), name="basket_figure_above_zero"),
        ]

    def __str__(self) -> str:
        return f"{self.underlying} {self.kind} at account {self.account_id}: {self.rupees}"


class RunTags(models.Model):
    """Words a person filed a run under."""

    run = models.OneToOneField("trading.Run", on_delete=models.PROTECT, related_name="tags")
    words = models.JSONField(default=list)

    class Meta:
        verbose_name_plural = "run tags"

    def __str__(self) -> str:
        return f"run {self.run_id}: {', '.join(self.words)}"


class RunNote(models.Model):
    run = models.ForeignKey("trading.Run", on_delete=models.PROTECT, related_name="notes")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    text = models.CharField(max_length=2000)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"note {self.pk} on run {self.run_id}"


class Leg(models.Model):
    class Kind(models.TextChoices):
        CALL = "CE"
        PUT = "PE"
        FUTURE = "FUT"

    class Slot(models.TextChoices):
        CURRENT_WEEK = "CURRENT_WEEK", "current week"
        NEXT_WEEK = "NEXT_WEEK", "next week"
        CURRENT_MONTH = "CURRENT_MONTH", "current month"
        NEXT_MONTH = "NEXT_MONTH", "next month"
        DATE = "DATE", "fixed date"

    class Strike(models.TextChoices):
        ATM = "ATM"
        ITM = "ITM"
        OTM = "OTM"
        STRIKE = "STRIKE", "strike"
        PREMIUM = "PREMIUM", "premium ₹"
        DELTA = "DELTA", "delta"
        STRADDLE = "STRADDLE", "% of straddle"

    class PriceType(models.TextChoices):
        MARKET_PROTECTED = "MARKET_PROTECTED", "market-protected"
        LIMIT = "LIMIT", "LIMIT"
        SL = "SL", "SL"
        SL_M = "SL_M", "SL-M"

    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="legs")
    number = models.PositiveSmallIntegerField()
    underlying = models.ForeignKey("marketdata.Underlying", on_delete=models.PROTECT)
    kind = models.CharField(max_length=3, choices=Kind)
    slot = models.CharField(max_length=13, choices=Slot)
    action = models.CharField(max_length=4, choices=[("BUY", "BUY"), ("SELL", "SELL")])
    expiry_date = models.DateField(null=True, blank=True)
    strike_mode = models.CharField(max_length=8, choices=Strike, default=Strike.ATM)
    strike_offset = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(20)])
    strike_value = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    tolerance = models.PositiveSmallIntegerField(default=20, validators=[MinValueValidator(1), MaxValueValidator(50)])
    lots = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1), MaxValueValidator(100)])
    price_type = models.CharField(max_length=16, choices=PriceType, default=PriceType.MARKET_PROTECTED)
    limit_price = models.DecimalField(max_digits=10, decimal_places=2, null=True, blank=True)
    trigger_price = models.DecimalField(max_digits=10, decimal_places=2, null=True, blank=True)
    # Numbers of the short legs this long leg covers; empty on shorts.
    hedges = models.JSONField(default=list)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["version", "number"], name="leg_number_unique"),
            models.CheckConstraint(condition=Q(lots__gte=1, lots__lte=100), name="leg_lots_1_to_100"),
            models.CheckConstraint(
                condition=(~Q(strike_mode__in=["ITM", "OTM"]) & Q(strike_offset=0))
                | Q(strike_mode__in=["ITM", "OTM"], strike_offset__gte=1, strike_offset__lte=20),
                name="leg_offset_matches_mode",
            ),
            models.CheckConstraint(
                condition=Q(slot="DATE", expiry_date__isnull=False) | (~Q(slot="DATE") & Q(expiry_date__isnull=True)),
                name="leg_date_matches_slot",
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


from strategies.webhooks.models import Signal, Webhook  # noqa: E402, F401

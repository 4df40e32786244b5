"""Reference data, dated and editable, and who is watching what."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from algomirror.ops.sight import Sighted, SightedOrHouse


class Underlying(models.Model):
    symbol = models.CharField(max_length=20, unique=True)
    enabled = models.BooleanField(default=True)
    index_exchange = models.CharField(max_length=12)
    derivative_exchange = models.CharField(max_length=12)
    strike_step = models.DecimalField(max_digits=10, decimal_places=2)
    has_weeklies = models.BooleanField(default=False)
    display_order = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["display_order", "symbol"]

    def __str__(self) -> str:
        return self.symbol


class ContractSpec(models.Model):
    """Terms of contracts expiring within a date range; a cross-check on the broker's list, and the freeze table."""

    underlying = models.ForeignKey(Underlying, on_delete=models.PROTECT, related_name="specs")
    expiring_from = models.DateField()
    expiring_to = models.DateField(null=True, blank=True, help_text="empty: until further notice")
    lot_units = models.PositiveIntegerField()
    freeze_units = models.PositiveIntegerField()
    tick = models.DecimalField(max_digits=8, decimal_places=2)
    source = models.CharField(max_length=120)
    confirmed = models.BooleanField(default=True)

    class Meta:
        ordering = ["underlying", "-expiring_from"]
        constraints = [models.UniqueConstraint(fields=["underlying", "expiring_from"], name="one_spec_per_start")]

    def __str__(self) -> str:
        return f"{self.underlying} from {self.expiring_from}"


class Instrument(models.Model):
    """One contract (or index, or share) as the broker lists it."""

    class Kind(models.TextChoices):
        CALL = "CE"
        PUT = "PE"
        FUTURE = "FUT"
        INDEX = "INDEX"
        EQUITY = "EQ"

    exchange = models.CharField(max_length=12)
    symbol = models.CharField(max_length=50)
    underlying = models.CharField(max_length=20, db_index=True)
    kind = models.CharField(max_length=5, choices=Kind)
    expiry = models.DateField(null=True, blank=True)
    strike = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    lot_units = models.PositiveIntegerField(default=1)
    tick = models.DecimalField(max_digits=8, decimal_places=2)
    freeze_units = models.PositiveIntegerField(null=True, blank=True, help_text="empty: not known")
    listed_on = models.DateField(help_text="date of the newest list that shows it")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["exchange", "symbol"], name="one_row_per_contract")]
        indexes = [models.Index(fields=["underlying", "kind", "expiry", "strike"], name="chain_lookup")]

    def __str__(self) -> str:
        return f"{self.exchange}:{self.symbol}"

    @property
    def key(self) -> str:
        return f"{self.exchange}:{self.symbol}"


class TradingHours(models.Model):
    """Weekly session of an exchange, in IST, in force over a range of dates."""

    exchange = models.CharField(max_length=12)
    weekday = models.PositiveSmallIntegerField(help_text="0 = Monday")
    opens = models.TimeField()
    closes = models.TimeField()
    effective_from = models.DateField()
    effective_to = models.DateField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "trading hours"
        constraints = [
            models.UniqueConstraint(fields=["exchange", "weekday", "effective_from"], name="one_session_per_weekday"),
            models.CheckConstraint(condition=models.Q(weekday__lte=6), name="weekday_0_to_6"),
            models.CheckConstraint(condition=models.Q(opens__lt=models.F("closes")), name="hours_open_before_close"),
        ]

    def __str__(self) -> str:
        return f"{self.exchange} {self.weekday} {self.opens}-{self.closes}"


class Holiday(models.Model):
    class Kind(models.TextChoices):
        TRADING = "TRADING"
        SETTLEMENT = "SETTLEMENT"
        BOTH = "BOTH"

    exchange = models.CharField(max_length=12)
    date = models.DateField()
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.TRADING)
    retired_at = models.DateTimeField(null=True, blank=True, help_text="set: counts no more, and is not loaded again")

    class Meta:
        ordering = ["date", "exchange"]
        constraints = [models.UniqueConstraint(fields=["exchange", "date"], name="one_holiday_per_date")]

    def __str__(self) -> str:
        return f"{self.date} {self.exchange} {self.name}"


class SpecialSession(models.Model):
    """Decides its date alone: holidays and weekly hours do not count on it."""

    exchange = models.CharField(max_length=12)
    date = models.DateField()
    name = models.CharField(max_length=80)
    opens = models.TimeField()
    closes = models.TimeField()
    confirmed = models.BooleanField(default=True)
    retired_at = models.DateTimeField(null=True, blank=True, help_text="set: counts no more, and is not loaded again")

    class Meta:
        ordering = ["date", "exchange"]
        constraints = [
            models.UniqueConstraint(fields=["exchange", "date", "name"], name="one_special_session"),
            models.CheckConstraint(condition=models.Q(opens__lt=models.F("closes")), name="special_open_before_close"),
        ]

    def __str__(self) -> str:
        return f"{self.date} {self.exchange} {self.name}"


class MisCutoff(models.Model):
    """When a broker closes MIS positions itself, in IST, over a range of dates; of every broker, one, or one account."""

    exchange = models.CharField(max_length=12)
    broker = models.CharField(max_length=40, blank=True, help_text="as the account names it; empty: every broker")
    account = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    at = models.TimeField()
    effective_from = models.DateField()
    effective_to = models.DateField(null=True, blank=True)

    objects = SightedOrHouse["MisCutoff"]()

    class Meta:
        verbose_name = "MIS cut-off"
        ordering = ["exchange", "broker", "account", "-effective_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["exchange", "broker", "effective_from"], condition=Q(account=None), name="one_cutoff_of_a_broker"
            ),
            models.UniqueConstraint(fields=["exchange", "account", "effective_from"], name="one_cutoff_of_an_account"),
            models.CheckConstraint(condition=Q(account=None) | Q(broker=""), name="cutoff_of_broker_or_account"),
            models.CheckConstraint(
                condition=Q(effective_to=None) | Q(effective_to__gte=models.F("effective_from")), name="cutoff_ends_after_start"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.exchange} MIS {self.at} {self.whose}"

    @property
    def whose(self) -> str:
        return self.account.name if self.account is not None else self.broker or "every broker"


class ViewingSession(models.Model):
    """A browser tab that wants ticks of some symbols; lives by its heartbeat."""

    key = models.CharField(max_length=32, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    topic = models.CharField(max_length=80)
    symbols = models.JSONField(default=list, help_text='"EXCHANGE:SYMBOL" texts')
    expires = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.topic} of {self.user_id}"


class FailoverManager(Sighted["FailoverRecord"]):
    def within(self, ids: frozenset[int]) -> Q:
        mine = (Q(**{f"{side}__in": ids}) | Q(**{f"{side}__isnull": True}) for side in ("from_account", "to_account"))
        return next(mine) & next(mine)


class FailoverRecord(models.Model):
    """One change of the source of prices. `to_account` empty: no stream worked, positions were read by REST."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(db_index=True)
    from_account = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, null=True, related_name="+")
    to_account = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=200)
    by = models.CharField(max_length=80, help_text="engine:feed, or user:<name> for a switch by hand")
    blind_ms = models.PositiveBigIntegerField(
        null=True, help_text="from the last index tick before to the first after; empty while it lasts or outside sessions"
    )

    objects = FailoverManager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.at:%d %b %H:%M:%S} {self.reason}"

    @property
    def is_automatic(self) -> bool:
        return self.by.startswith("engine:")


class FeedPin(models.Model):
    """The source a person chose by hand; the feed takes it, does not fail back from it, and drops it when it fails."""

    owner = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    account = models.ForeignKey("accounts.Account", on_delete=models.CASCADE, related_name="+")
    by = models.CharField(max_length=80)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.account} by {self.by}"


class CalendarProposal(models.Model):
    """Changes of the calendar read from a file or a server; nothing counts until a person approves."""

    class State(models.TextChoices):
        OPEN = "OPEN"
        APPLIED = "APPLIED"
        DISCARDED = "DISCARDED"

    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=60)
    source = models.CharField(max_length=120)
    changes = models.JSONField(default=list)
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{len(self.changes)} changes from {self.source}"


class FreezeLimit(models.Model):
    """Largest order of an underlying's contracts over a range of trading days; NSE names it month by month."""

    underlying = models.ForeignKey(Underlying, on_delete=models.PROTECT, related_name="freezes")
    effective_from = models.DateField()
    effective_to = models.DateField(null=True, blank=True, help_text="empty: until further notice")
    freeze_units = models.PositiveIntegerField()
    source = models.CharField(max_length=120)
    confirmed = models.BooleanField(default=True)

    class Meta:
        ordering = ["underlying", "-effective_from"]
        constraints = [
            models.UniqueConstraint(fields=["underlying", "effective_from"], name="one_freeze_per_start"),
            models.CheckConstraint(condition=models.Q(freeze_units__gt=1), name="freeze_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.underlying} {self.freeze_units} from {self.effective_from}"


class InstrumentChange(models.Model):
    """What a day's contract list changed against the list before it, per expiry."""

    class Kind(models.TextChoices):
        LISTED = "LISTED"
        DELISTED = "DELISTED"
        LOT = "LOT"
        FREEZE = "FREEZE"
        TICK = "TICK"

    day = models.DateField(help_text="day of the list")
    at = models.DateTimeField()
    exchange = models.CharField(max_length=12)
    underlying = models.CharField(max_length=20)
    expiry = models.DateField()
    kind = models.CharField(max_length=8, choices=Kind)
    contracts = models.PositiveIntegerField()
    before = models.CharField(max_length=40, blank=True)
    after = models.CharField(max_length=40, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["underlying", "-day"], name="changes_of_underlying")]

    def __str__(self) -> str:
        return f"{self.day} {self.underlying} {self.expiry} {self.kind}"


class TermsDispute(models.Model):
    """The broker's list and our terms differ for one expiry. OPEN blocks entries in the underlying until a person decides."""

    class Field(models.TextChoices):
        LOT = "lot"
        FREEZE = "freeze"
        TICK = "tick"

    class State(models.TextChoices):
        OPEN = "OPEN"
        ACCEPTED = "ACCEPTED"
        OVERRIDDEN = "OVERRIDDEN"
        SETTLED = "SETTLED"

    underlying = models.CharField(max_length=20)
    expiry = models.DateField()
    field = models.CharField(max_length=6, choices=Field)
    listed = models.CharField(max_length=20, help_text="what the broker's list says")
    held = models.CharField(max_length=20, help_text="what our terms say")
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    first_seen_on = models.DateField()
    last_seen_on = models.DateField()
    decided_by = models.CharField(max_length=60, blank=True)
    decided_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=200, blank=True)
    until = models.DateField(null=True, help_text="last day of an override")

    class Meta:
        ordering = ["underlying", "expiry", "field"]
        constraints = [models.UniqueConstraint(fields=["underlying", "expiry", "field"], name="one_dispute_per_term")]

    def __str__(self) -> str:
        return f"{self.underlying} {self.expiry} {self.field}: {self.listed} or {self.held}"


class ChainColumns(models.Model):
    """Which columns of the option chain a person wants to see."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="chain_columns")
    names = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"columns of {self.user_id}"


class Candle1m(models.Model):
    """One minute of one instrument. Every longer candle is made of these."""

    class Source(models.TextChoices):
        TICKS = "TICKS"
        HISTORY = "HISTORY"

    key = models.CharField(max_length=63, help_text="EXCHANGE:SYMBOL")
    minute = models.DateTimeField()
    open = models.DecimalField(max_digits=12, decimal_places=2)
    high = models.DecimalField(max_digits=12, decimal_places=2)
    low = models.DecimalField(max_digits=12, decimal_places=2)
    close = models.DecimalField(max_digits=12, decimal_places=2)
    volume = models.BigIntegerField(null=True)
    open_interest = models.BigIntegerField(null=True)
    source = models.CharField(max_length=7, choices=Source)
    covered_s = models.PositiveSmallIntegerField(help_text="seconds of the minute that were watched; 60 is all of it")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["key", "minute"], name="one_candle_per_minute"),
            models.CheckConstraint(
                condition=models.Q(low__lte=models.F("open"), open__lte=models.F("high"))
                & models.Q(low__lte=models.F("close"), close__lte=models.F("high"), low__gt=0),
                name="candle_is_possible",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key} {self.minute:%F %H:%M}"

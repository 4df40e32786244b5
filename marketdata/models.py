"""Reference data, dated and editable, and who is watching what."""

from __future__ import annotations

from django.conf import settings
from django.db import models


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

    class Meta:
        ordering = ["date", "exchange"]
        constraints = [
            models.UniqueConstraint(fields=["exchange", "date", "name"], name="one_special_session"),
            models.CheckConstraint(condition=models.Q(opens__lt=models.F("closes")), name="special_open_before_close"),
        ]

    def __str__(self) -> str:
        return f"{self.date} {self.exchange} {self.name}"


class ViewingSession(models.Model):
    """A browser tab that wants ticks of some symbols; lives by its heartbeat."""

    key = models.CharField(max_length=32, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    topic = models.CharField(max_length=80)
    symbols = models.JSONField(default=list, help_text='"EXCHANGE:SYMBOL" texts')
    expires = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.topic} of {self.user_id}"

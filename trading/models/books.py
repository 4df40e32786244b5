"""Run, book, position: who owns what is open."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from algomirror.ops.sight import Sighted, SightedByBook


class ExitReason(models.TextChoices):
    MAX_LOSS = "MAX_LOSS"
    MAX_PROFIT = "MAX_PROFIT"
    TRAILING_STOP = "TRAILING_STOP"
    LEG_STOP = "LEG_STOP"
    LEG_TARGET = "LEG_TARGET"
    LEG_TRAILING = "LEG_TRAILING"
    PREMIUM_STOP = "PREMIUM_STOP"
    PREMIUM_TARGET = "PREMIUM_TARGET"
    UNDERLYING_STOP = "UNDERLYING_STOP"
    SUPERTREND = "SUPERTREND"
    EXIT_TIME = "EXIT_TIME"
    SQUARE_OFF = "SQUARE_OFF"
    EXPIRY = "EXPIRY"
    MANUAL = "MANUAL"
    WEBHOOK = "WEBHOOK"
    KILL_SWITCH = "KILL_SWITCH"
    ACCOUNT_LIMIT = "ACCOUNT_LIMIT"
    BLIND = "BLIND"
    ENTRY_ABORTED = "ENTRY_ABORTED"
    CLOSED_OUTSIDE = "CLOSED_OUTSIDE"


class RunManager(Sighted["Run"]):
    """A run is a limited person's when all its books are: its limits and its P&L are of the whole."""

    def within(self, ids: frozenset[int]) -> Q:
        books = Book._base_manager.filter(run=models.OuterRef("pk"))
        return Q(models.Exists(books)) & ~Q(models.Exists(books.exclude(account_id__in=ids)))


class Run(models.Model):
    """One execution from plan to confirmed flat. Written by strategies.services only.

    It stands here, below strategies, because books, guards and orders all hang on it.
    """

    class State(models.TextChoices):
        PLANNED = "PLANNED"
        ENTERING = "ENTERING"
        OPEN = "OPEN"
        EXITING = "EXITING"
        CLOSED = "CLOSED"
        STUCK = "STUCK"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="runs")
    name = models.CharField(max_length=120)
    # One open run per strategy: strategies puts its id here, and clears nothing when it closes.
    strategy_id = models.BigIntegerField(null=True, db_index=True)
    mode = models.CharField(max_length=5)
    state = models.CharField(max_length=8, choices=State, default=State.PLANNED)
    exit_reason = models.CharField(max_length=16, choices=ExitReason, blank=True)
    started_at = models.DateTimeField()
    flat_at = models.DateTimeField(null=True, blank=True)
    # The first command's key: a repeated command finds this run instead of making another.
    idempotency_key = models.CharField(max_length=64, unique=True)

    objects = RunManager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["strategy_id"],
                condition=Q(strategy_id__isnull=False) & ~Q(state="CLOSED"),
                name="one_open_run_per_strategy",
            ),
        ]

    def __str__(self) -> str:
        return f"run {self.pk} {self.name}"


class Book(models.Model):
    """One run on one account (or the account's ticket book of a mode): owner of its orders, fills and positions.

    `version` rises with every change of the book's orders, fills, positions or state, in the same transaction.
    Whoever decides from what it read in the book claims that version, so that two deciders cannot both act.
    """

    class Kind(models.TextChoices):
        RUN = "RUN"
        TICKET = "TICKET"

    class State(models.TextChoices):
        OPEN = "OPEN"
        REDUCING = "REDUCING"
        EXITING = "EXITING"
        FLAT = "FLAT"
        FROZEN = "FROZEN"

    kind = models.CharField(max_length=6, choices=Kind)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, null=True, blank=True, related_name="books")
    account = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, related_name="books")
    mode = models.CharField(max_length=5)
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    # MISSING thaws by itself when the broker's books agree again; the other kinds want a person.
    freeze_kind = models.CharField(max_length=10, blank=True)
    frozen_why = models.CharField(max_length=300, blank=True)
    frozen_from = models.CharField(max_length=8, blank=True)
    agreed_read = models.BigIntegerField(null=True, help_text="position read that agreed again while frozen")
    version = models.BigIntegerField(default=0)
    # Entry terms, fixed when the plan was made.
    hedge_wait_s = models.FloatField(default=10.0)
    entry_until = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField()
    flat_at = models.DateTimeField(null=True, blank=True)

    objects = Sighted["Book"]()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "account"], condition=Q(kind="RUN"), name="one_book_per_run_account"),
            models.UniqueConstraint(fields=["account", "mode"], condition=Q(kind="TICKET"), name="one_ticket_book_per_mode"),
            models.CheckConstraint(
                condition=Q(kind="TICKET", run=None) | Q(kind="RUN", run__isnull=False), name="run_book_has_run"
            ),
        ]

    def __str__(self) -> str:
        return f"book {self.pk} of {'run ' + str(self.run_id) if self.run_id else 'ticket'} on account {self.account_id}"


class Position(models.Model):
    """The fold of a book's fills for one instrument and product; can be rebuilt. Written by trading.services.apply only."""

    book = models.ForeignKey(Book, on_delete=models.PROTECT, related_name="positions", db_index=False)
    exchange = models.CharField(max_length=12)
    symbol = models.CharField(max_length=50)
    product = models.CharField(max_length=4)
    leg = models.PositiveSmallIntegerField(default=0)
    units = models.IntegerField(default=0, help_text="signed, + long")
    # Exact value of the open units at entry, so that the average never accumulates rounding.
    open_value = models.DecimalField(max_digits=18, decimal_places=6, default=0, help_text="rupees, positive")
    realised = models.DecimalField(max_digits=18, decimal_places=6, default=0)
    bought_units = models.PositiveIntegerField(default=0)
    bought_value = models.DecimalField(max_digits=18, decimal_places=6, default=0)
    sold_units = models.PositiveIntegerField(default=0)
    sold_value = models.DecimalField(max_digits=18, decimal_places=6, default=0)

    objects = SightedByBook["Position"]()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["book", "exchange", "symbol", "product"], name="one_position_per_instrument"),
        ]

    def __str__(self) -> str:
        return f"{self.units} {self.exchange}:{self.symbol} {self.product}"

    @property
    def key(self) -> str:
        return f"{self.exchange}:{self.symbol}"

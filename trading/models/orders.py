"""Order, what the broker shows, fill."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from algomirror.ops.sight import Sighted
from trading.domain.orders import LIVE_STATES, UNACKNOWLEDGED, ChangeState, OrderState, Purpose


class Order(models.Model):
    """One intention to trade at most one freeze slice. The row is committed before anything is sent.

    `state` is written by trading.services.apply only, by compare-and-set along trading.domain.orders.MOVES.
    """

    State = [(s.value, s.value) for s in OrderState]
    Purposes = [(p.value, p.value) for p in Purpose]

    book = models.ForeignKey("trading.Book", on_delete=models.PROTECT, related_name="orders", db_index=False)
    account = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, related_name="orders", db_index=False)
    goal = models.ForeignKey("trading.ExitGoal", on_delete=models.PROTECT, null=True, blank=True, related_name="orders")
    client_order_id = models.CharField(max_length=64, unique=True)
    purpose = models.CharField(max_length=8, choices=Purposes)
    leg = models.PositiveSmallIntegerField(default=0)
    slice_no = models.PositiveSmallIntegerField(default=0)
    attempt = models.PositiveSmallIntegerField(default=0)
    # Legs (numbers) whose shorts this long must cover; for a short: the hedge legs it waits for.
    hedge_legs = models.JSONField(default=list)

    exchange = models.CharField(max_length=12)
    symbol = models.CharField(max_length=50)
    product = models.CharField(max_length=4)
    action = models.CharField(max_length=4, choices=[("BUY", "BUY"), ("SELL", "SELL")])
    units = models.PositiveIntegerField()
    lot_units = models.PositiveIntegerField(default=1)
    freeze_units = models.PositiveIntegerField(null=True, help_text="largest order the exchange takes; empty: not known")
    tick = models.DecimalField(max_digits=8, decimal_places=2)
    price_type = models.CharField(max_length=6)  # as sent: MARKET, LIMIT, SL, SL-M
    price = models.DecimalField(max_digits=12, decimal_places=2, default=0)
    trigger_price = models.DecimalField(max_digits=12, decimal_places=2, default=0)
    # A marketable limit of ours is re-pegged; a trader's LIMIT rests.
    protected = models.BooleanField(default=False)
    decision_price = models.DecimalField(
        max_digits=12, decimal_places=2, null=True, help_text="price when it was decided; slippage is measured from it"
    )
    # The gate's written yes: what was checked, with the numbers. Entries without one are never sent.
    permit = models.JSONField(null=True)

    state = models.CharField(max_length=16, choices=State, default=OrderState.INITIALIZED)
    broker_order_id = models.CharField(max_length=64, blank=True)
    trading_day = models.DateField()
    filled_units = models.PositiveIntegerField(default=0)
    filled_value = models.DecimalField(max_digits=18, decimal_places=6, default=0)
    reason = models.CharField(max_length=300, blank=True, help_text="in the broker's words, or our denial code")
    # Evidence for matching a lost order: number of complete order-book reads before it was sent.
    baseline_read = models.BigIntegerField(default=0)
    missing_reads = models.PositiveSmallIntegerField(default=0)

    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    acknowledged_at = models.DateTimeField(null=True)
    cancel_asked_at = models.DateTimeField(null=True)
    cancel_wanted = models.BooleanField(
        default=False, help_text="its cancel was asked before the broker had named it, or did not leave"
    )
    # Cancelled by us to ask the remainder at a new price. Anyone else's cancel takes it back.
    follows_price = models.BooleanField(default=False)
    # A person wants what is left of it at the market: cancelled, proven ended, then its remainder goes out marketable.
    to_market = models.BooleanField(default=False)
    # What a modify asked for last. It is the order's when the order book shows it, never before: trading.services.terms.
    change_state = models.CharField(max_length=7, choices=[(c.value, c.value) for c in ChangeState], blank=True, default="")
    asked_units = models.PositiveIntegerField(null=True)
    asked_price = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    asked_trigger = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    change_asked_at = models.DateTimeField(null=True)
    change_answered_at = models.DateTimeField(null=True)
    change_text = models.CharField(max_length=300, blank=True, default="", help_text="what became of the change, in words")
    last_seen_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    # It was held for ended, or given up as lost, and works after all.
    revived_at = models.DateTimeField(null=True)
    cancels = models.PositiveSmallIntegerField(default=0, help_text="how often its cancel was asked")
    strange_word = models.CharField(max_length=60, blank=True, default="", help_text="the book's last word that we do not know")
    sender = models.CharField(max_length=120, blank=True)

    objects = Sighted["Order"]()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "exchange", "symbol", "product", "action"],
                condition=Q(state__in=sorted(s.value for s in UNACKNOWLEDGED)),
                name="one_unacknowledged_order_per_side",
            ),
            models.UniqueConstraint(
                fields=["account", "trading_day", "broker_order_id"],
                condition=~Q(broker_order_id=""),
                name="one_order_per_broker_id",
            ),
            models.CheckConstraint(condition=Q(units__gt=0), name="order_units_positive"),
            models.CheckConstraint(condition=Q(action__in=["BUY", "SELL"]), name="order_action_known"),
            models.CheckConstraint(
                condition=Q(purpose__in=[Purpose.EXIT.value, Purpose.UNWIND.value])
                | Q(permit__isnull=False)
                | Q(state__in=["INITIALIZED", "DENIED"]),
                name="no_entry_without_permit",
            ),
            models.CheckConstraint(condition=Q(filled_value__gte=0), name="filled_value_not_negative"),
        ]
        indexes = [
            models.Index(fields=["account", "state"], name="orders_by_account_state"),
            models.Index(fields=["book", "state"], name="orders_by_book_state"),
            models.Index(fields=["account", "trading_day"], name="orders_by_account_day"),
            models.Index(fields=["account", "symbol"], name="orders_by_account_symbol"),
            models.Index(fields=["finished_at"], name="orders_by_end"),
            models.Index(fields=["account", "finished_at"], name="orders_by_account_end"),
            models.Index(fields=["account", "finished_at"], name="orders_that_follow", condition=Q(follows_price=True)),
        ]

    def __str__(self) -> str:
        return self.client_order_id

    @property
    def key(self) -> str:
        return f"{self.exchange}:{self.symbol}"

    @property
    def remaining_units(self) -> int:
        return max(self.units - self.filled_units, 0)

    @property
    def is_live(self) -> bool:
        """It may still fill, as far as we know."""
        return OrderState(self.state) in LIVE_STATES


class BrokerOrder(models.Model):
    """One row of a broker's order book as last seen, ours or not. Evidence, not truth."""

    account = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, related_name="broker_orders", db_index=False)
    trading_day = models.DateField()
    broker_order_id = models.CharField(max_length=64)
    order = models.OneToOneField(Order, on_delete=models.PROTECT, null=True, blank=True, related_name="broker_row")
    exchange = models.CharField(max_length=12)
    symbol = models.CharField(max_length=50)
    action = models.CharField(max_length=4)
    product = models.CharField(max_length=8)
    price_type = models.CharField(max_length=8)
    units = models.IntegerField()
    price = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    trigger_price = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    word = models.CharField(max_length=16)
    raw_status = models.CharField(max_length=60)
    reason = models.CharField(max_length=300, blank=True)
    traded_units = models.IntegerField(default=0)
    traded_value = models.DecimalField(max_digits=18, decimal_places=6, default=0)
    first_read = models.BigIntegerField(help_text="number of the complete read that first showed it")
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    objects = Sighted["BrokerOrder"]()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["account", "trading_day", "broker_order_id"], name="one_row_per_broker_order"),
        ]

    def __str__(self) -> str:
        return f"{self.broker_order_id} of account {self.account_id}"


class Fill(models.Model):
    """Units of one order proven traded. Identity: account, trading day, broker order id, cumulative quantity."""

    class Source(models.TextChoices):
        TRADE_BOOK = "TRADE_BOOK"
        SETTLEMENT = "SETTLEMENT"
        OUTSIDE = "OUTSIDE"

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="fills")
    book = models.ForeignKey("trading.Book", on_delete=models.PROTECT, related_name="fills")
    account = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, related_name="fills", db_index=False)
    trading_day = models.DateField()
    broker_order_id = models.CharField(max_length=64)
    cumulative_units = models.PositiveIntegerField()
    units = models.PositiveIntegerField()
    value = models.DecimalField(max_digits=18, decimal_places=6, help_text="rupees, exact sum over the broker's trades")
    exchange = models.CharField(max_length=12)
    symbol = models.CharField(max_length=50)
    product = models.CharField(max_length=4)
    action = models.CharField(max_length=4)
    leg = models.PositiveSmallIntegerField(default=0)
    source = models.CharField(max_length=10, choices=Source, default=Source.TRADE_BOOK)
    first_seen_at = models.DateTimeField()

    objects = Sighted["Fill"]()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "trading_day", "broker_order_id", "cumulative_units"], name="one_fill_per_cumulative"
            ),
            models.CheckConstraint(condition=Q(units__gt=0, units__lte=F("cumulative_units")), name="fill_within_cumulative"),
        ]
        indexes = [models.Index(fields=["account", "symbol"], name="fills_by_account_symbol")]

    def __str__(self) -> str:
        return f"{self.action} {self.units} {self.symbol}"

"""Who we are, and at which brokers."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.core.validators import MinLengthValidator, MinValueValidator, RegexValidator
from django.db import models

from accounts.colours import hex_of
from accounts.people import Invite, LoginSession, RecoveryCode, SecondFactor
from algomirror.ops.sight import Sighted, SightedById

__all__ = ["Account", "BrokerRead", "Invite", "LoginSession", "RecoveryCode", "SecondFactor", "User"]


class User(AbstractUser):
    class Role(models.TextChoices):
        OWNER = "OWNER"
        TRADER = "TRADER"
        RISK = "RISK"
        VIEWER = "VIEWER"

    username = models.CharField(
        max_length=20,
        unique=True,
        validators=[MinLengthValidator(3), RegexValidator(r"^[\w.-]+$", "Letters, digits, dot, dash and underscore only.")],
    )
    email = models.EmailField(unique=True)
    role = models.CharField(max_length=8, choices=Role, default=Role.VIEWER)
    # Who was limited stays limited, whatever becomes of the accounts they were given. Never the owner.
    is_limited = models.BooleanField(default=False)
    assigned = models.ManyToManyField(
        "accounts.Account", related_name="+", blank=True, help_text="of a limited person: all they see"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~models.Q(role="OWNER", is_limited=True), name="owner_sees_everything"),
            models.UniqueConstraint(fields=["role"], condition=models.Q(role="OWNER"), name="one_owner"),
        ]

    @property
    def may_trade(self) -> bool:
        return self.is_active and self.role in (self.Role.OWNER, self.Role.TRADER)

    @property
    def may_reduce(self) -> bool:
        """Kill switch and exits: risk officers too."""
        return self.is_active and self.role != self.Role.VIEWER

    @property
    def is_owner(self) -> bool:
        return self.is_active and self.role == self.Role.OWNER


class Account(models.Model):
    """One broker login behind one OpenAlgo server."""

    class Mode(models.TextChoices):
        LIVE = "LIVE"
        PAPER = "PAPER"

    class Link(models.TextChoices):
        UNKNOWN = "UNKNOWN"
        UP = "UP"
        DEGRADED = "DEGRADED"
        DOWN = "DOWN"
        REFUSED = "REFUSED"

    class Relation(models.TextChoices):
        SELF = "SELF", "myself"
        SPOUSE = "SPOUSE", "my spouse"
        CHILD = "CHILD", "my dependent child"
        PARENT = "PARENT", "my dependent parent"
        OTHER = "OTHER", "somebody else"

    owner = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="accounts")
    name = models.CharField(max_length=100, unique=True, validators=[MinLengthValidator(3)])
    broker = models.CharField(max_length=40, blank=True)
    host_url = models.URLField(max_length=200)
    websocket_url = models.CharField(max_length=200)
    sealed_key = models.BinaryField(editable=False)
    key_fingerprint = models.CharField(max_length=64, unique=True, editable=False)
    mode = models.CharField(max_length=5, choices=Mode)
    is_primary = models.BooleanField(default=False)
    backup_rank = models.PositiveIntegerField(default=0)
    entries_enabled = models.BooleanField(default=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    colour = models.PositiveSmallIntegerField(default=0, help_text="index into the palette of account dots")
    holder = models.CharField(max_length=80, blank=True)
    relation = models.CharField(max_length=6, choices=Relation, default=Relation.SELF)
    # The address the broker was told that this account's orders come from.
    registered_address = models.GenericIPAddressField(null=True, blank=True)
    # Broker profile
    orders_per_second = models.PositiveSmallIntegerField(default=10, validators=[MinValueValidator(1)])
    brokerage_per_order = models.DecimalField(max_digits=8, decimal_places=2, default=20)
    # Margin profile: what this broker's funds mean, and whether its basket margin is asked.
    collateral_included = models.BooleanField(default=True, help_text="available cash already holds the collateral")
    available_is_gross = models.BooleanField(default=False, help_text="used margin is not yet taken off available cash")
    margin_trusted = models.BooleanField(default=True, help_text="the server's basket margin is asked and believed")
    # Link: a failed check never refreshes last_good_at.
    link = models.CharField(max_length=8, choices=Link, default=Link.UNKNOWN)
    last_good_at = models.DateTimeField(null=True, blank=True)
    last_failure = models.CharField(max_length=300, blank=True)
    failures_in_row = models.PositiveIntegerField(default=0)
    latency_ms = models.PositiveIntegerField(null=True, blank=True)
    # Rises with every change of host, key or profile, so that no process keeps an old client.
    config_version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SightedById["Account"]()

    class Meta:
        ordering = ["-is_primary", "backup_rank", "id"]
        constraints = [
            models.UniqueConstraint(fields=["owner"], condition=models.Q(is_primary=True), name="one_primary_per_owner"),
            models.CheckConstraint(
                condition=models.Q(is_primary=False) | models.Q(archived_at__isnull=True), name="primary_is_not_archived"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_active(self) -> bool:
        return self.archived_at is None

    @property
    def colour_hex(self) -> str:
        return hex_of(self.colour)


class BrokerRead(models.Model):
    """The last good answer to one kind of question, beside how the last attempt went.

    `rows` changes only when a read was complete; a failed read leaves it and says why in `error`.
    """

    class Kind(models.TextChoices):
        FUNDS = "FUNDS"
        ORDERS = "ORDERS"
        TRADES = "TRADES"
        POSITIONS = "POSITIONS"
        HOLDINGS = "HOLDINGS"

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="reads")
    kind = models.CharField(max_length=10, choices=Kind)
    rows = models.JSONField(default=list)
    sequence = models.BigIntegerField(default=0, help_text="number of complete reads so far")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    attempted_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)

    objects = Sighted["BrokerRead"]()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "kind"], name="one_read_per_kind")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.account_id}"


from accounts.tokens.models import ApiToken  # noqa: E402, F401

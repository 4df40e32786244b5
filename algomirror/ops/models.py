"""Who did what and why; who holds which duty; who is alive."""

from __future__ import annotations

from typing import Any, NoReturn

from django.db import models

from algomirror.ops.sight import SightedAlarms


class JournalQuerySet(models.QuerySet["Journal"]):
    def update(self, **kwargs: Any) -> NoReturn:
        raise TypeError("the journal is append-only")

    def delete(self) -> NoReturn:
        raise TypeError("the journal is append-only")


class Journal(models.Model):
    """One decision or transition, with the numbers it used. Written by ops.journal.record() only."""

    at = models.DateTimeField(db_index=True)
    kind = models.CharField(max_length=40, db_index=True)
    actor = models.CharField(max_length=80, help_text="user:<name>, engine:<process>, schedule, webhook:<id>")
    # Plain numbers and no foreign keys: a row outlives what it describes.
    run_id = models.BigIntegerField(null=True, db_index=True)
    account_id = models.BigIntegerField(null=True, db_index=True)
    book_id = models.BigIntegerField(null=True)
    order_id = models.BigIntegerField(null=True, db_index=True)
    subject = models.CharField(max_length=80, blank=True)
    moved_from = models.CharField(max_length=24, blank=True)
    moved_to = models.CharField(max_length=24, blank=True)
    why = models.CharField(max_length=500, blank=True)
    numbers = models.JSONField(default=dict)
    from_address = models.GenericIPAddressField(null=True, help_text="of the browser or program behind a person's act")

    objects = JournalQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "journal"
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("the journal is append-only")


class JournalSeal(models.Model):
    """One link of the chain over the journal. Written by ops.chain.seal() only, some seconds after the row."""

    position = models.BigIntegerField(unique=True)
    journal_id = models.BigIntegerField(unique=True)
    digest = models.CharField(max_length=64, help_text="of the link before and of the row's content")

    class Meta:
        ordering = ["position"]

    def __str__(self) -> str:
        return f"seal {self.position}"


class JournalCheckpoint(models.Model):
    """Where the chain begins since older rows were let go: the last link that was discarded.

    The database lets only rows at or before the newest checkpoint be deleted, and none of these be changed.
    """

    at = models.DateTimeField()
    position = models.BigIntegerField(unique=True)
    digest = models.CharField(max_length=64)
    last_row_at = models.DateTimeField(help_text="of the newest row that was let go")
    rows = models.BigIntegerField(help_text="so many were let go with it")

    class Meta:
        ordering = ["position"]

    def __str__(self) -> str:
        return f"checkpoint at {self.position}"


class Check(models.Model):
    """One line of the readiness board, as the last run of the checks left it."""

    class State(models.TextChoices):
        GREEN = "GREEN"
        AMBER = "AMBER"
        RED = "RED"

    name = models.CharField(max_length=40)
    # 0: of the whole product. A number without a key, because this room does not know accounts.
    account_id = models.BigIntegerField(default=0)
    state = models.CharField(max_length=5, choices=State)
    value = models.CharField(max_length=200, blank=True)
    remedy = models.CharField(max_length=300, blank=True)
    since = models.DateTimeField()
    checked_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "account_id"], name="one_check_per_subject")]

    def __str__(self) -> str:
        return f"{self.name} {self.state}"


class Lease(models.Model):
    """A duty that one process holds at a time. Moved by compare-and-set on (name, token)."""

    name = models.CharField(max_length=80, unique=True)
    holder = models.CharField(max_length=120, blank=True)
    token = models.BigIntegerField(default=0)
    expires = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} held by {self.holder}"


class Heartbeat(models.Model):
    """The last sign of life of a process, with what it was doing."""

    name = models.CharField(max_length=80, unique=True)
    holder = models.CharField(max_length=120)
    at = models.DateTimeField()
    detail = models.JSONField(default=dict)

    def __str__(self) -> str:
        return self.name


class Alarm(models.Model):
    """A message a human must see until they say they did."""

    class State(models.TextChoices):
        NEW = "NEW"
        ACKNOWLEDGED = "ACKNOWLEDGED"

    at = models.DateTimeField(db_index=True)
    kind = models.CharField(max_length=40)
    text = models.CharField(max_length=500)
    numbers = models.JSONField(default=dict)
    run_id = models.BigIntegerField(null=True)
    account_id = models.BigIntegerField(null=True)
    # The same trouble rings once until it is acknowledged, however often it is seen.
    key = models.CharField(max_length=120)
    seen_times = models.PositiveIntegerField(default=1)
    last_at = models.DateTimeField()
    state = models.CharField(max_length=12, choices=State, default=State.NEW)
    # Silent until then: on pages and on every channel. Emptied when it has passed.
    snoozed_until = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.CharField(max_length=80, blank=True)
    acknowledged_at = models.DateTimeField(null=True)

    objects = SightedAlarms["Alarm"]()

    class Meta:
        ordering = ["-last_at"]
        constraints = [
            models.UniqueConstraint(fields=["key"], condition=models.Q(state="NEW"), name="alarm_rings_once"),
        ]

    def __str__(self) -> str:
        return self.text


from algomirror.ops.alerts.models import AlertChannel, AlertDelivery, AlertRule  # noqa: E402, F401
from algomirror.ops.api.models import Command  # noqa: E402, F401

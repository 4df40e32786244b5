from __future__ import annotations

from django.db import models
from django.db.models import Q

from algomirror.ops.sight import SightedByBook
from trading.models.books import ExitReason


class ExitGoal(models.Model):
    """ "This book (or these instruments of it) shall be flat, because …". Driven until fills prove it.

    One open goal per book: a repeat returns it, a wider request widens it.
    """

    class State(models.TextChoices):
        REQUESTED = "REQUESTED"
        WORKING = "WORKING"
        STUCK = "STUCK"
        DONE = "DONE"

    book = models.ForeignKey("trading.Book", on_delete=models.PROTECT, related_name="goals")
    # None: the whole book. Else {"EXCHANGE:SYMBOL:PRODUCT": units to leave open (absolute)}.
    targets = models.JSONField(null=True)
    reason = models.CharField(max_length=16, choices=ExitReason)
    why = models.CharField(max_length=500, blank=True)
    numbers = models.JSONField(default=dict)
    asked_by = models.CharField(max_length=80)
    state = models.CharField(max_length=9, choices=State, default=State.REQUESTED)
    attempts = models.PositiveIntegerField(default=0, help_text="orders made so far; numbers their client ids")
    rejections = models.PositiveIntegerField(default=0, help_text="in a row; sets the back-off")
    not_before = models.DateTimeField(null=True)
    missing_since = models.DateTimeField(null=True, help_text="since when the broker does not show what we own")
    requested_at = models.DateTimeField()
    first_sent_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)

    objects = SightedByBook["ExitGoal"]()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["book"], condition=~Q(state="DONE"), name="one_open_goal_per_book"),
        ]

    def __str__(self) -> str:
        return f"goal {self.pk} on book {self.book_id}: {self.reason}"

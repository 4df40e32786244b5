from __future__ import annotations

from django.db import models


class Command(models.Model):
    """One unsafe request to the API, known by its sender and Idempotency-Key, with the answer it got.

    Holds a digest of the request and never its body: bodies may carry keys.
    """

    class State(models.TextChoices):
        RUNNING = "RUNNING"
        DONE = "DONE"
        FAILED = "FAILED"

    public_id = models.CharField(max_length=32, unique=True)
    actor = models.CharField(max_length=80)
    key = models.CharField(max_length=64)
    method = models.CharField(max_length=6)
    path = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    state = models.CharField(max_length=7, choices=State, default=State.RUNNING)
    attempts = models.PositiveIntegerField(default=1)
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.JSONField(null=True)
    started_at = models.DateTimeField(db_index=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["actor", "key"], name="one_command_per_key")]

    def __str__(self) -> str:
        return f"{self.method} {self.path} of {self.actor}"

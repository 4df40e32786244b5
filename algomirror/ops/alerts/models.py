from __future__ import annotations

from django.db import models


class AlertChannel(models.Model):
    """A way to reach a person: what it needs is sealed, tokens and passwords with it."""

    class Kind(models.TextChoices):
        TELEGRAM = "TELEGRAM", "Telegram"
        EMAIL = "EMAIL", "E-mail"
        WEBHOOK = "WEBHOOK", "Signed webhook"
        BROWSER = "BROWSER", "Browser notification"

    name = models.CharField(max_length=60, unique=True)
    kind = models.CharField(max_length=8, choices=Kind)
    sealed_config = models.BinaryField(editable=False)
    enabled = models.BooleanField(default=True)
    quiet_from = models.TimeField(null=True, blank=True, help_text="India; never for what may cost money")
    quiet_to = models.TimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    failures_in_row = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=300, blank=True)
    last_sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class AlertRule(models.Model):
    """Alarms of this class go through this channel."""

    channel = models.ForeignKey(AlertChannel, on_delete=models.CASCADE, related_name="rules")
    event_class = models.CharField(max_length=12)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["channel", "event_class"], name="one_rule_per_class")]

    def __str__(self) -> str:
        return f"{self.event_class} to {self.channel_id}"


class AlertDelivery(models.Model):
    """One alarm through one channel, once per round; rounds repeat what nobody acknowledged."""

    class State(models.TextChoices):
        WAITING = "WAITING"
        SENDING = "SENDING"
        SENT = "SENT"
        FAILED = "FAILED"
        DROPPED = "DROPPED"

    alarm = models.ForeignKey("ops.Alarm", on_delete=models.CASCADE, related_name="deliveries")
    channel = models.ForeignKey(AlertChannel, on_delete=models.CASCADE, related_name="deliveries")
    round = models.PositiveSmallIntegerField(default=0)
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField()
    error = models.CharField(max_length=300, blank=True)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["alarm", "channel", "round"], name="one_delivery_per_round")]
        indexes = [models.Index(fields=["state", "not_before"], name="deliveries_due")]

    def __str__(self) -> str:
        return f"alarm {self.alarm_id} by {self.channel_id}"

"""How people come in and stay in: the second factor, sessions and invitations. Part of accounts.models."""

from __future__ import annotations

from django.db import models


class SecondFactor(models.Model):
    """One authenticator per user. It counts from `confirmed_at` on; before, it is an enrolment under way."""

    user = models.OneToOneField("accounts.User", on_delete=models.PROTECT, related_name="second_factor")
    sealed_secret = models.BinaryField(editable=False)
    created_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)
    # The newest time step whose code was taken. It only rises, so no code opens twice.
    last_step = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"second factor of user {self.user_id}"


class RecoveryCode(models.Model):
    """Opens once in place of the authenticator. Eighty random bits, so a plain hash keeps it."""

    factor = models.ForeignKey(SecondFactor, on_delete=models.CASCADE, related_name="codes")
    code_hash = models.CharField(max_length=64, editable=False)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["factor", "code_hash"], name="one_recovery_code")]

    def __str__(self) -> str:
        return f"recovery code {self.pk}"


class LoginSession(models.Model):
    """One sign-in on one browser, as its user sees it. The session itself is Django's."""

    user = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="sign_ins")
    session_key = models.CharField(max_length=40, unique=True, editable=False)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    address = models.GenericIPAddressField(null=True)
    agent = models.CharField(max_length=200, blank=True)
    is_remembered = models.BooleanField(default=False)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=80, blank=True)

    class Meta:
        ordering = ["-seen_at"]

    def __str__(self) -> str:
        return f"sign-in {self.pk}"


class Invite(models.Model):
    """A way in for one person, with a role, for a day. Only the link knows its token."""

    class Role(models.TextChoices):
        TRADER = "TRADER"
        RISK = "RISK"
        VIEWER = "VIEWER"

    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    role = models.CharField(max_length=8, choices=Role)
    created_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="invites_made")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    used_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, related_name="invites_used")
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(role__in=["TRADER", "RISK", "VIEWER"]), name="nobody_is_invited_as_owner"),
        ]

    def __str__(self) -> str:
        return f"invitation {self.pk} as {self.role}"

"""What the endpoints of the whole product answer."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from algomirror.ops.api.doors import LARGEST_ID, Asked
from algomirror.ops.api.models import Command
from algomirror.ops.models import Alarm, Journal
from risk.api_shapes import rupees


class Safety(serializers.Serializer[Any]):
    runs = serializers.IntegerField()
    armed = serializers.IntegerField()
    unguarded = serializers.IntegerField()
    blind = serializers.IntegerField()
    unknown = serializers.IntegerField()
    stuck = serializers.IntegerField()
    frozen = serializers.IntegerField()
    differing = serializers.IntegerField()
    restricted = serializers.IntegerField()
    alarms = serializers.IntegerField()


class AccountToday(serializers.Serializer[Any]):
    account = serializers.IntegerField()
    trading = serializers.CharField()
    pnl_today = rupees(help_text="null: unknown")
    open_runs = serializers.IntegerField()
    open_legs = serializers.IntegerField()


class Dashboard(serializers.Serializer[Any]):
    platform = serializers.CharField()
    pnl_today = rupees(help_text="of live books if there are any, else of paper ones; null: unknown")
    pnl_by_mode = serializers.DictField(child=serializers.CharField(allow_null=True), help_text="LIVE and PAPER, never added up")
    cash = rupees(help_text="null: an account was never read")
    safety = Safety()
    accounts = AccountToday(many=True)


class AlarmShape(serializers.ModelSerializer[Alarm]):
    class Meta:
        model = Alarm
        fields = (
            "id", "at", "last_at", "kind", "text", "numbers", "run_id", "account_id", "seen_times", "state", "acknowledged_by",
            "acknowledged_at", "snoozed_until",
        )  # fmt: skip
        ref_name = "Alarm"


class JournalShape(serializers.ModelSerializer[Journal]):
    class Meta:
        model = Journal
        fields = (
            "id", "at", "kind", "actor", "run_id", "account_id", "book_id", "order_id", "subject", "moved_from", "moved_to",
            "why", "numbers",
        )  # fmt: skip
        ref_name = "JournalRow"


class CommandShape(serializers.ModelSerializer[Command]):
    command_id = serializers.CharField(source="public_id")
    answer = serializers.JSONField(allow_null=True)

    class Meta:
        model = Command
        fields = ("command_id", "method", "path", "state", "attempts", "status", "answer", "started_at", "finished_at")
        ref_name = "Command"


class Feed(serializers.Serializer[Any]):
    state = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    age_s = serializers.FloatField(allow_null=True)
    detail = serializers.JSONField()


class AlertsAsked(Asked):
    state = serializers.ChoiceField(choices=Alarm.State.values, required=False)
    cursor = serializers.CharField(required=False)
    limit = serializers.IntegerField(required=False, min_value=1, max_value=200)


class JournalAsked(Asked):
    kind = serializers.CharField(max_length=40, required=False)
    actor = serializers.CharField(max_length=80, required=False)
    run = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST_ID)
    account = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST_ID)
    cursor = serializers.CharField(required=False)
    limit = serializers.IntegerField(required=False, min_value=1, max_value=200)


class SnoozeAsked(Asked):
    minutes = serializers.IntegerField(min_value=1, max_value=24 * 60)


class Snoozed(serializers.Serializer[Any]):
    snoozed = serializers.BooleanField(help_text="false: it was acknowledged before")


class Acknowledged(serializers.Serializer[Any]):
    acknowledged = serializers.BooleanField(help_text="false: somebody did before")

"""What the risk endpoints are asked and answer."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from algomirror.ops.api.doors import LARGEST_ID, Asked
from risk.api_protections import as_asked
from risk.domain.states import KillLevel, TradingMode
from risk.domain.terms import terms_of
from risk.models import Action, RiskEvent, RunLimits


def rupees(**more: Any) -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=18, decimal_places=2, allow_null=True, **more)


class State(serializers.Serializer[Any]):
    account = serializers.IntegerField(source="account_id", allow_null=True, help_text="null: the platform")
    name = serializers.CharField()
    state = serializers.CharField()
    since = serializers.DateTimeField(allow_null=True)
    by = serializers.CharField()
    why = serializers.CharField()
    link = serializers.CharField()


class Guard(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="guard_id")
    rule = serializers.CharField()
    scope = serializers.CharField()
    state = serializers.CharField()
    action = serializers.CharField()
    level = rupees()
    value = rupees(help_text="null: unknown")
    share = serializers.DecimalField(max_digits=5, decimal_places=1, allow_null=True)
    distance = rupees()
    evaluated_at = serializers.DateTimeField(allow_null=True)
    paused_until = serializers.DateTimeField(allow_null=True, help_text="null: it acts")
    paused_by = serializers.CharField()
    paused_why = serializers.CharField()


class Pnl(serializers.Serializer[Any]):
    realised = rupees()
    unrealised = rupees(help_text="null: an open leg has no fresh price")
    total = rupees()
    missing = serializers.ListField(child=serializers.CharField())


class OpenRun(serializers.Serializer[Any]):
    run = serializers.IntegerField(source="run_id")
    name = serializers.CharField()
    mode = serializers.CharField()
    state = serializers.CharField()
    started_at = serializers.DateTimeField()
    accounts = serializers.IntegerField()
    pnl = Pnl()
    guards = Guard(many=True, source="limits")
    blind_since = serializers.DateTimeField(allow_null=True)


class Status(serializers.Serializer[Any]):
    states = State(many=True)
    runs = OpenRun(many=True)


class Event(serializers.ModelSerializer[RiskEvent]):
    class Meta:
        model = RiskEvent
        fields = ("id", "at", "run", "book", "account", "kind", "threshold", "value", "action", "seen_by", "numbers", "goal_ids")
        ref_name = "RiskEvent"


class EventsAsked(Asked):
    run = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST_ID)
    cursor = serializers.CharField(required=False)
    limit = serializers.IntegerField(required=False, min_value=1, max_value=200)


class EventPage(serializers.Serializer[Any]):
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = Event(many=True)


class Limits(serializers.ModelSerializer[RunLimits]):
    protections = serializers.SerializerMethodField(help_text="what is on, as it is asked")

    class Meta:
        model = RunLimits
        fields = (
            "run", "max_loss", "max_profit", "scope", "max_loss_action", "max_profit_action", "blind_policy", "protections",
        )  # fmt: skip
        ref_name = "RunLimits"

    def get_protections(self, limits: RunLimits) -> dict[str, Any]:
        return as_asked(terms_of(limits.terms))


class LimitFields(Asked):
    """Rupees, positive; null is off. 0 is refused."""

    max_loss = serializers.CharField(max_length=24, allow_null=True, required=False)
    max_profit = serializers.CharField(max_length=24, allow_null=True, required=False)
    max_loss_action = serializers.ChoiceField(choices=Action.values, required=False)
    max_profit_action = serializers.ChoiceField(choices=Action.values, required=False)
    blind_policy = serializers.ChoiceField(choices=RunLimits.Blind.values, required=False)


class LimitsAsked(LimitFields):
    """What is not named stays as it is."""

    reason = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")


class KillAsked(Asked):
    scope = serializers.ChoiceField(choices=["platform", "group", "account", "run"])
    target = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=LARGEST_ID)
    level = serializers.ChoiceField(choices=[level.value for level in KillLevel])
    reason = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")


class Killed(serializers.Serializer[Any]):
    scope = serializers.CharField()
    level = serializers.CharField()
    cancels = serializers.IntegerField()
    goals = serializers.ListField(child=serializers.IntegerField())
    failures = serializers.ListField(child=serializers.CharField())


class ReleaseAsked(Asked):
    account = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=LARGEST_ID, help_text="empty: the platform"
    )
    reason = serializers.CharField(max_length=300)


class StateAsked(Asked):
    state = serializers.ChoiceField(choices=[mode.value for mode in TradingMode])
    reason = serializers.CharField(max_length=300)


class FlattenAsked(Asked):
    reason = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")

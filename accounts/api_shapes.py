"""What the account endpoints are asked and answer. A key is never among the answers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from accounts.models import Account
from algomirror.ops.api.doors import Asked


class AccountShape(serializers.ModelSerializer[Account]):
    class Meta:
        model = Account
        fields = (
            "id", "name", "broker", "mode", "host_url", "websocket_url", "is_primary", "backup_rank", "entries_enabled",
            "orders_per_second", "brokerage_per_order", "holder", "relation", "registered_address",
            "link", "last_good_at", "last_failure", "failures_in_row",
            "latency_ms", "config_version", "archived_at", "created_at",
        )  # fmt: skip
        ref_name = "Account"


class Me(serializers.Serializer[Any]):
    username = serializers.CharField()
    role = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField())
    accounts = serializers.ListField(child=serializers.IntegerField(), allow_null=True, help_text="null: all")


class BrokerRows(serializers.Serializer[Any]):
    """The last complete read, and how the last attempt went. `complete` false: there never was one."""

    account = serializers.IntegerField()
    kind = serializers.CharField()
    complete = serializers.BooleanField()
    as_of = serializers.DateTimeField(allow_null=True)
    age_ms = serializers.IntegerField(allow_null=True)
    attempted_at = serializers.DateTimeField(allow_null=True)
    error = serializers.CharField(help_text="of the last attempt; empty when it was good")
    rows = serializers.JSONField()


class TryAsked(Asked):
    host_url = serializers.CharField(max_length=200)
    websocket_url = serializers.CharField(max_length=200)
    key = serializers.CharField(max_length=500, write_only=True)


class AddAsked(TryAsked):
    name = serializers.CharField(max_length=100)
    mode = serializers.ChoiceField(choices=Account.Mode.values)
    backup_rank = serializers.IntegerField(min_value=0, max_value=10_000, default=0)
    orders_per_second = serializers.IntegerField(min_value=1, max_value=100, default=10)
    brokerage_per_order = serializers.DecimalField(max_digits=8, decimal_places=2, min_value=0, default=Decimal(20))
    holder = serializers.CharField(max_length=80, default="", allow_blank=True)
    relation = serializers.ChoiceField(choices=Account.Relation.values, default=Account.Relation.SELF)
    registered_address = serializers.IPAddressField(allow_null=True, default=None)


class EditAsked(Asked):
    """What is not named stays; a new host, key or mode is tested before anything is saved."""

    config_version = serializers.IntegerField(min_value=1, help_text="the version that is changed; a newer one is 409")
    name = serializers.CharField(max_length=100, required=False)
    host_url = serializers.CharField(max_length=200, required=False)
    websocket_url = serializers.CharField(max_length=200, required=False)
    key = serializers.CharField(max_length=500, write_only=True, required=False, help_text="empty or absent: unchanged")
    mode = serializers.ChoiceField(choices=Account.Mode.values, required=False)
    backup_rank = serializers.IntegerField(min_value=0, max_value=10_000, required=False)
    orders_per_second = serializers.IntegerField(min_value=1, max_value=100, required=False)
    brokerage_per_order = serializers.DecimalField(max_digits=8, decimal_places=2, min_value=0, required=False)
    holder = serializers.CharField(max_length=80, allow_blank=True, required=False)
    relation = serializers.ChoiceField(choices=Account.Relation.values, required=False)
    registered_address = serializers.IPAddressField(allow_null=True, required=False)


class EntriesAsked(Asked):
    enabled = serializers.BooleanField()


class Step(serializers.Serializer[Any]):
    name = serializers.CharField()
    is_good = serializers.BooleanField(allow_null=True, help_text="null: not tried")
    text = serializers.CharField()
    is_required = serializers.BooleanField()


class Tried(serializers.Serializer[Any]):
    is_good = serializers.BooleanField()
    broker = serializers.CharField()
    mode = serializers.CharField(allow_null=True)
    steps = Step(many=True)

"""Who fed the prices, why it changed, and choosing by hand. `/feeds` itself says the present."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.tokens.auth import allowed, person, require_accounts
from algomirror.ops import sight
from algomirror.ops.api.doors import Asked, Door, command
from algomirror.ops.api.schema import CURSOR
from marketdata import feeds
from marketdata.models import FailoverRecord


class Failover(serializers.ModelSerializer[FailoverRecord]):
    is_automatic = serializers.BooleanField(read_only=True)

    class Meta:
        model = FailoverRecord
        fields = ("id", "at", "from_account_id", "to_account_id", "reason", "by", "is_automatic", "blind_ms")


class FailoverPage(serializers.Serializer[Any]):
    results = Failover(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class FailoversAsked(Asked):
    cursor = serializers.CharField(required=False)
    limit = serializers.IntegerField(required=False, min_value=1, max_value=200)


class FailoversDoor(Door):
    @extend_schema(parameters=[FailoversAsked, CURSOR], responses=FailoverPage)
    def get(self, request: Request) -> Response:
        """Every change of the source, newest first: from, to, why, by whom, and how long no index ticked."""
        self.params(FailoversAsked)
        with sight.limited_to(allowed(request)):
            return self.page(FailoverRecord.objects.all(), Failover)


class SwitchAsked(Asked):
    account = serializers.IntegerField(min_value=1, allow_null=True, help_text="null: health decides again")


class Switched(serializers.Serializer[Any]):
    account = serializers.IntegerField(allow_null=True)


class FeedSwitch(Door):
    writes: ClassVar[str] = "admin"

    @extend_schema(request=SwitchAsked, responses=Switched)
    @command
    def post(self, request: Request) -> Response:
        """Feed from this account until it fails. The feed follows within a second; `/feeds` says when it did."""
        account: int | None = self.body(SwitchAsked)["account"]
        if account is not None:
            require_accounts(request, [account])
        feeds.choose(person(request), account)
        return Response({"account": account}, status=202)

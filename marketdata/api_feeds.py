"""Who fed the prices, and why it changed: a read of the API. `/feeds` itself says the present."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from algomirror.ops.api.doors import Asked, Door
from algomirror.ops.api.schema import CURSOR
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
        return self.page(FailoverRecord.objects.all(), Failover)

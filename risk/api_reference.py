"""Charge rates by date: read by everybody, kept by the owner's programs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.tokens.auth import require_everything
from algomirror.ops.api.doors import Asked, Door, actor, command
from risk.models import ChargeRate
from risk.services import margins

EXCHANGES = ("NFO", "BFO")
WHOLE = Decimal("0.999999999")


def _share(**more: Any) -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=12, decimal_places=9, help_text="of the value; 0.0015 is 0.15 %", **more)


class RateShape(serializers.ModelSerializer[ChargeRate]):
    share = _share()
    in_force = serializers.BooleanField(help_text="today, until a later row takes over")

    class Meta:
        model = ChargeRate
        fields = ("id", "item", "exchange", "is_future", "share", "effective_from", "in_force")
        ref_name = "ChargeRate"


class RateAsked(Asked):
    item = serializers.ChoiceField(choices=ChargeRate.Item.values)
    exchange = serializers.ChoiceField(choices=EXCHANGES)
    is_future = serializers.BooleanField(default=False, help_text="futures; else options")
    effective_from = serializers.DateField()
    share = _share(min_value=Decimal(0), max_value=WHOLE)


class RateSaved(serializers.Serializer[Any]):
    changed = serializers.IntegerField(help_text="0: it was so already")


class ChargesDoor(Door):
    writes: ClassVar[str] = "admin"

    @extend_schema(responses=RateShape(many=True))
    def get(self, request: Request) -> Response:
        """Every rate with the day it counts from. Brokerage stands in the profile of each account."""
        return Response(RateShape(margins.dated_rates(), many=True).data)

    @extend_schema(request=RateAsked, responses=RateSaved)
    @command
    def put(self, request: Request) -> Response:
        """A rate from a day on; item, exchange, kind and that day name the row. Earlier days keep the rate they had."""
        require_everything(request)
        return Response(RateSaved({"changed": int(margins.put_rate(**self.body(RateAsked), by=actor(request)))}).data)

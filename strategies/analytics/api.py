"""Reports: the figures of the analytics page."""

from __future__ import annotations

from datetime import date
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Account
from algomirror.ops.api.doors import LARGEST_ID, Asked, Door
from strategies.analytics.forms import LONGEST
from strategies.analytics.page import Analytics, Sum, analytics, default_wish
from strategies.analytics.reading import Wish
from strategies.domain.returns import Span, equity

GROUPS = ("day", "week", "month", "strategy", "account", "reason", "run")


class PeriodAsked(Asked):
    """Without days: the last thirty. Without a mode: live if there is a live account."""

    first = serializers.DateField(required=False)
    last = serializers.DateField(required=False)
    mode = serializers.ChoiceField(choices=Account.Mode.values, required=False)
    account = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST_ID)
    strategy = serializers.IntegerField(required=False, min_value=0, max_value=LARGEST_ID, help_text="0: tickets and baskets")

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        usual = default_wish(given.get("mode", ""))
        first: date = given.get("first", usual.first)
        last: date = given.get("last", usual.last)
        if first > last:
            raise ValidationError({"last": ["It lies before the first day."]})
        if last - first > LONGEST:
            raise ValidationError({"first": ["At most two years at once."]})
        given["wish"] = Wish(first, last, usual.mode, given.get("account"), given.get("strategy"))
        return given


class PnlAsked(PeriodAsked):
    group = serializers.ChoiceField(choices=GROUPS, default="day")


class SumShape(serializers.Serializer[Any]):
    name = serializers.CharField()
    run = serializers.IntegerField(allow_null=True)
    gross = serializers.DecimalField(max_digits=18, decimal_places=2)
    charges = serializers.DecimalField(max_digits=18, decimal_places=2, allow_null=True, help_text="null: a rate is missing")
    net = serializers.DecimalField(max_digits=18, decimal_places=2, allow_null=True)
    slippage = serializers.DecimalField(max_digits=18, decimal_places=2, allow_null=True, help_text="minus is worse than decided")
    turnover = serializers.DecimalField(max_digits=18, decimal_places=2)
    orders = serializers.IntegerField()


class PointShape(serializers.Serializer[Any]):
    day = serializers.DateField()
    net = serializers.DecimalField(max_digits=18, decimal_places=2)
    drawdown = serializers.DecimalField(max_digits=18, decimal_places=2)


class ReportPnl(Door):
    is_heavy = True

    @extend_schema(parameters=[PnlAsked], responses=SumShape(many=True))
    def get(self, request: Request) -> Response:
        """Booked results with charges and slippage, summed by what is asked. Unrealised P&L is under /accounts and /runs."""
        asked = self.params(PnlAsked)
        group = asked["group"]
        span: Span = group if group in ("week", "month") else "day"
        return Response(SumShape([_row(one, group) for one in _of(analytics(asked["wish"], span=span), group)], many=True).data)


class ReportEquity(Door):
    is_heavy = True

    @extend_schema(parameters=[PeriodAsked], responses=PointShape(many=True))
    def get(self, request: Request) -> Response:
        """Net summed day by day, and how far each end of day lies below the best before. Empty while a charge rate is missing."""
        days = analytics(self.params(PeriodAsked)["wish"]).days
        known = {one.key: one.net for one in days if one.net is not None}
        points = equity(known) if len(known) == len(days) else []
        return Response(PointShape([{"day": p.day, "net": p.net, "drawdown": p.drawdown} for p in points], many=True).data)


def _of(page: Analytics, group: str) -> list[Sum]:
    if group == "run":
        return [line.total for line in page.runs]
    named = {"strategy": page.strategies, "account": page.accounts, "reason": page.reasons}
    return named.get(group, page.spans)


def _row(one: Sum, group: str) -> dict[str, Any]:
    names = ("name", "gross", "charges", "net", "slippage", "turnover", "orders")
    return {name: getattr(one, name) for name in names} | {"run": one.key if group == "run" else None}

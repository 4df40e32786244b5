"""Reports: the figures of the analytics page, as JSON, CSV or XLSX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, ClassVar

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Account
from accounts.tokens.auth import allowed
from algomirror.ops import sight
from algomirror.ops.api.doors import LARGEST_ID, Asked, Door
from algomirror.ops.sheets import XLSX, Table, csv_response, xlsx_response
from strategies.analytics import reports
from strategies.analytics.forms import LONGEST
from strategies.analytics.page import Analytics, Sum, analytics, default_wish
from strategies.analytics.reading import Wish
from strategies.domain.returns import Span, equity

FILES = ("csv", "xlsx")
GROUPS = ("day", "week", "month", "strategy", "account", "reason", "run")


class PeriodAsked(Asked):
    """Without days: the last thirty. Without a mode: live if there is a live account."""

    first = serializers.DateField(required=False)
    last = serializers.DateField(required=False)
    mode = serializers.ChoiceField(choices=Account.Mode.values, required=False)
    account = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST_ID)
    strategy = serializers.IntegerField(required=False, min_value=0, max_value=LARGEST_ID, help_text="0: tickets and baskets")
    file = serializers.ChoiceField(choices=FILES, required=False, help_text="left out: JSON; numbers of a file are not rounded")

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


class SummedAsked(PeriodAsked):
    group = serializers.ChoiceField(choices=GROUPS, default="day")


def _rupees(**more: Any) -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=18, decimal_places=2, **more)


class NamedShape(serializers.Serializer[Any]):
    name = serializers.CharField()
    run = serializers.IntegerField(allow_null=True)


class SumShape(NamedShape):
    gross = _rupees()
    charges = _rupees(allow_null=True, help_text="null: a rate is missing")
    net = _rupees(allow_null=True)
    slippage = _rupees(allow_null=True, help_text="minus is worse than decided")
    turnover = _rupees()
    orders = serializers.IntegerField()


class PointShape(serializers.Serializer[Any]):
    day = serializers.DateField()
    net = _rupees()
    drawdown = _rupees()


class ExecutionShape(NamedShape):
    orders = serializers.IntegerField()
    fills = serializers.IntegerField()
    turnover = _rupees()
    slippage = _rupees(allow_null=True, help_text="minus is worse than decided; null: nothing was decided at a price")
    slippage_percent = serializers.DecimalField(
        max_digits=9, decimal_places=4, allow_null=True, source="share", help_text="of the turnover"
    )
    charges = _rupees(allow_null=True, help_text="null: a rate is missing")
    cost = _rupees(allow_null=True, help_text="charges less slippage; null: one of them is unknown")


class ChargesShape(NamedShape):
    orders = serializers.IntegerField()
    brokerage = _rupees(allow_null=True, help_text="null: a rate is missing")
    stt = _rupees(allow_null=True)
    exercise_stt = _rupees(allow_null=True)
    transaction = _rupees(allow_null=True)
    sebi = _rupees(allow_null=True)
    stamp = _rupees(allow_null=True)
    gst = _rupees(allow_null=True)
    total = _rupees(allow_null=True, help_text="each order rounded to paisa; the parts may differ from it by paisa")


def _answers(shape: type[serializers.Serializer[Any]]) -> dict[Any, Any]:
    return {200: shape(many=True), (200, "text/csv"): OpenApiTypes.STR, (200, XLSX): OpenApiTypes.BINARY}


class _Report(Door):
    """One table over a period, of what the caller may see."""

    is_heavy = True
    shape: ClassVar[type[serializers.Serializer[Any]]]

    def answered(self, name: str, rows: Sequence[Any]) -> HttpResponseBase:
        file = self.request.query_params.get("file")
        if file is None:
            return Response(self.shape(rows, many=True).data)
        fields = self.shape().fields
        cells = [[field.get_attribute(row) for field in fields.values()] for row in rows]
        table = Table(name, tuple(fields), cells)
        return csv_response(table) if file == "csv" else xlsx_response(name, [table])

    def summed(self, request: Request, name: str, row: Callable[..., Any]) -> HttpResponseBase:
        """`row` of each sum of the group that is asked for."""
        with sight.limited_to(allowed(request)):
            asked = self.params(SummedAsked)
            group = asked["group"]
            span: Span = group if group in ("week", "month") else "day"
            found = _of(analytics(asked["wish"], span=span), group)
        return self.answered(name, [row(one, is_run=group == "run") for one in found])


class ReportPnl(_Report):
    shape = SumShape

    @extend_schema(parameters=[SummedAsked], responses=_answers(SumShape))
    def get(self, request: Request) -> HttpResponseBase:
        """Booked results with charges and slippage, summed by what is asked. Unrealised P&L is under /accounts and /runs."""
        return self.summed(request, "pnl", _row)


class ReportExecution(_Report):
    shape = ExecutionShape

    @extend_schema(parameters=[SummedAsked], responses=_answers(ExecutionShape))
    def get(self, request: Request) -> HttpResponseBase:
        """What fills made or lost against the prices they were decided at, and what that cost together with charges."""
        return self.summed(request, "execution", reports.execution)


class ReportCharges(_Report):
    shape = ChargesShape

    @extend_schema(parameters=[SummedAsked], responses=_answers(ChargesShape))
    def get(self, request: Request) -> HttpResponseBase:
        """What brokerage, each tax and each fee took, by the rates of the days."""
        return self.summed(request, "charges", reports.cost)


class ReportEquity(_Report):
    shape = PointShape

    @extend_schema(parameters=[PeriodAsked], responses=_answers(PointShape))
    def get(self, request: Request) -> HttpResponseBase:
        """Net summed day by day, and how far each end of day lies below the best before. Empty while a charge rate is missing."""
        with sight.limited_to(allowed(request)):
            days = analytics(self.params(PeriodAsked)["wish"]).days
        known = {one.key: one.net for one in days if one.net is not None}
        points = equity(known) if len(known) == len(days) else []
        return self.answered("equity", points)


def _of(page: Analytics, group: str) -> list[Sum]:
    if group == "run":
        return [line.total for line in page.runs]
    named = {"strategy": page.strategies, "account": page.accounts, "reason": page.reasons}
    return named.get(group, page.spans)


def _row(one: Sum, *, is_run: bool = False) -> dict[str, Any]:
    names = ("name", "gross", "charges", "net", "slippage", "turnover", "orders")
    return {name: getattr(one, name) for name in names} | {"run": one.key if is_run else None}

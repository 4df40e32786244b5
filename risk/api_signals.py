"""The combined premium of a run with its Supertrend for programs: the series of the page and of the guard."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from algomirror.kernel import clock
from algomirror.ops.api.doors import Asked, Door
from marketdata import candles
from marketdata.domain.candles import Candle
from risk import selectors
from risk.api import require_whole_run, run_of
from risk.domain.supertrend import Trend
from risk.domain.terms import TIMEFRAMES, SupertrendTerms
from risk.services import supertrend


def _price(**more: Any) -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=18, decimal_places=6, **more)


class CombinedAsked(Asked):
    timeframe = serializers.ChoiceField(choices=[str(n) for n in TIMEFRAMES], required=False, help_text="left out: the guard's")
    days = serializers.IntegerField(min_value=1, max_value=supertrend.DAYS, default=supertrend.DAYS, help_text="trading days")


class BarShape(serializers.Serializer[Any]):
    opens_at = serializers.DateTimeField()
    closes_at = serializers.DateTimeField()
    open = _price()
    high = _price()
    low = _price()
    close = _price()
    carried = serializers.IntegerField(help_text="minutes of legs without a trade that took the close before")
    line = _price(allow_null=True, help_text="null: too few bars before it, or it has not ended")
    direction = serializers.CharField(allow_null=True, help_text="UP or DOWN")

    class Meta:
        ref_name = "PremiumBar"


class CombinedShape(serializers.Serializer[Any]):
    run = serializers.IntegerField()
    state = serializers.CharField(help_text="READY, NOT READY with the reason, or CLOSED: nothing is open")
    is_guard = serializers.BooleanField(help_text="a Supertrend of the run decides on just this series")
    side = serializers.CharField(allow_null=True, help_text="CREDIT or DEBIT")
    timeframe = serializers.IntegerField(help_text="minutes")
    period = serializers.IntegerField()
    multiplier = serializers.DecimalField(max_digits=4, decimal_places=1)
    legs = serializers.DictField(child=serializers.CharField(), help_text="EXCHANGE:SYMBOL: its signed weight")
    bars = BarShape(many=True, help_text="that have ended, oldest first")
    forming = BarShape(allow_null=True)
    as_of = serializers.DateTimeField(allow_null=True, help_text="until when all legs are known")
    age_ms = serializers.IntegerField(allow_null=True)


class Combined(Door):
    @extend_schema(parameters=[CombinedAsked], responses=CombinedShape)
    def get(self, request: Request, pk: int) -> Response:
        """Combined premium of the legs still open, per structure, with Supertrend, whose lines come from all five days."""
        asked, run = self.params(CombinedAsked), run_of(request, pk)
        require_whole_run(request, run)
        return Response(CombinedShape(_found(run.pk, asked)).data)


def _found(run_id: int, asked: dict[str, Any]) -> dict[str, Any]:
    own = supertrend.terms_in_force(run_id)
    if own is None:
        raise Http404
    terms = replace(own, timeframe=int(asked["timeframe"])) if "timeframe" in asked else own
    now, open_run = clock.now(), selectors.open_run(run_id)
    found = None if open_run is None else supertrend.series(open_run, terms, now)
    if open_run is None or found is None:
        return _head(run_id, terms) | {"state": "CLOSED"}
    guards = {guard.policy.terms for guard in open_run.guards if isinstance(guard.policy.terms, SupertrendTerms)}
    return _head(run_id, terms) | {
        "state": found.readiness,
        "is_guard": terms in guards,
        "side": "CREDIT" if found.is_credit else "DEBIT",
        "legs": {key: f"{weight.normalize():f}" for key, weight in found.weights.items()},
        "bars": [_bar(bar, trend) for bar, trend in supertrend.drawn_days(found, asked["days"], now)],
        "forming": None if found.forming is None else _bar(found.forming, None),
        **_age(candles.known_until(found.weights, now), now),
    }


def _head(run_id: int, terms: SupertrendTerms) -> dict[str, Any]:
    nothing: dict[str, Any] = {
        "is_guard": False,
        "side": None,
        "legs": {},
        "bars": [],
        "forming": None,
        "as_of": None,
        "age_ms": None,
    }
    return {**nothing, "run": run_id, "timeframe": terms.timeframe, "period": terms.period, "multiplier": terms.multiplier}


def _age(at: datetime | None, now: datetime) -> dict[str, Any]:
    return {"as_of": at, "age_ms": None if at is None else round((now - at).total_seconds() * 1000)}


def _bar(bar: Candle, trend: Trend | None) -> dict[str, Any]:
    names = ("opens_at", "closes_at", "open", "high", "low", "close", "carried")
    return {name: getattr(bar, name) for name in names} | {
        "line": None if trend is None else supertrend.level(trend.line),
        "direction": None if trend is None else trend.direction.value,
    }

"""Market reads of the API. All from our own store: no call here asks a broker."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from algomirror.ops.api.doors import Asked, Door
from algomirror.ops.api.schema import CURSOR
from marketdata import api_shapes as shapes
from marketdata import calendar, quotes, selectors
from marketdata.chain import chain_view
from marketdata.domain.quotes import Freshness, Quote, freshness
from marketdata.models import Holiday, Instrument, MisCutoff, SpecialSession, TradingHours

MOST_DAYS = 400
MOST_SYMBOLS = 200
MOST_STRIKES = 50
COMPUTED = ("oi_change", "iv_percent", "delta", "gamma", "theta", "vega")


def quote_row(quote: Quote, now: datetime) -> dict[str, Any]:
    """A price with everything that says how far it may be trusted."""
    return {
        "key": quote.key,
        "price": quote.last_price,
        "bid": quote.bid,
        "ask": quote.ask,
        "open_interest": quote.open_interest,
        "volume": quote.volume,
        "previous_close": quote.prev_close,
        "source": quote.source.value,
        "exchange_at": quote.exchange_at,
        "received_at": quote.received_at,
        "age_ms": round(quote.age_s(now) * 1000),
        "fresh": freshness(quote, now, quotes.bounds()) is Freshness.FRESH,
    }


class StatusAsked(Asked):
    exchange = serializers.ChoiceField(choices=calendar.EXCHANGES, required=False)


class MarketStatus(Door):
    @extend_schema(parameters=[StatusAsked], responses=shapes.MarketStatus(many=True))
    def get(self, request: Request) -> Response:
        """Is it open, until when, and what opens next."""
        one = self.params(StatusAsked).get("exchange")
        states = [calendar.market_state(exchange) for exchange in ([one] if one else calendar.EXCHANGES)]
        return Response(shapes.MarketStatus(states, many=True).data)


class CalendarAsked(Asked):
    first = serializers.DateField(required=False)
    last = serializers.DateField(required=False)


class Calendar(Door):
    @extend_schema(parameters=[CalendarAsked], responses=shapes.Calendar)
    def get(self, request: Request) -> Response:
        """Weekly hours, holidays and special sessions between two dates, how far the lists reach, and MIS cut-offs."""
        asked = self.params(CalendarAsked)
        first: date = asked.get("first") or clock.today()
        last: date = asked.get("last") or _later(first, 60)
        if not 0 <= (last - first).days <= MOST_DAYS:
            raise Refused(f"0 to {MOST_DAYS} days from first to last.", fields={"last": "out of range"})
        between = {"date__gte": first, "date__lte": last, "retired_at": None}
        body = {
            "first": first,
            "last": last,
            "coverage_end": {exchange: calendar.coverage_end(exchange) for exchange in calendar.EXCHANGES},
            "hours": TradingHours.objects.order_by("exchange", "weekday", "effective_from"),
            "holidays": Holiday.objects.filter(**between),
            "special_sessions": SpecialSession.objects.filter(**between),
            "mis_cutoffs": MisCutoff.objects.select_related("account"),
        }
        return Response(shapes.Calendar(body).data)


def _later(first: date, days: int) -> date:
    return date.max if (date.max - first).days < days else first + timedelta(days=days)


class Underlyings(Door):
    @extend_schema(responses=shapes.Underlying(many=True))
    def get(self, request: Request) -> Response:
        """The underlyings that are enabled, in display order."""
        return Response(shapes.Underlying(selectors.underlyings(), many=True).data)


class ExpiriesAsked(Asked):
    underlying = serializers.CharField(max_length=20)
    kind = serializers.ChoiceField(choices=["OPT", "FUT"], default="OPT")


class Expiries(Door):
    @extend_schema(parameters=[ExpiriesAsked], responses=shapes.Expiries)
    def get(self, request: Request) -> Response:
        """Listed expiries that are still ahead, and which date each slot means now."""
        asked = self.params(ExpiriesAsked)
        symbol = selectors.underlying(asked["underlying"]).symbol
        kind = "FUT" if asked["kind"] == "FUT" else "OPT"
        slots = selectors.slots(symbol, kind="FUT" if kind == "FUT" else "OPT")
        days = selectors.expiries(symbol, "FUT" if kind == "FUT" else "OPT")
        today = clock.today()
        rows = [{"date": day, "today": day == today, "slots": [s.value for s, at in slots.items() if at == day]} for day in days]
        body = {"underlying": symbol, "kind": kind, "expiries": rows, "slots": {s.value: day for s, day in slots.items()}}
        return Response(shapes.Expiries(body).data)


class InstrumentsAsked(Asked):
    underlying = serializers.CharField(max_length=20, required=False)
    expiry = serializers.DateField(required=False)
    kind = serializers.ChoiceField(choices=Instrument.Kind.values, required=False)
    q = serializers.CharField(max_length=50, required=False, help_text="part of a symbol")
    cursor = serializers.CharField(required=False)
    limit = serializers.IntegerField(required=False, min_value=1, max_value=200)


class Instruments(Door):
    @extend_schema(parameters=[InstrumentsAsked, CURSOR], responses=shapes.InstrumentPage)
    def get(self, request: Request) -> Response:
        """Contracts as the broker lists them: lot, freeze, slice, tick."""
        asked = self.params(InstrumentsAsked)
        rows: QuerySet[Instrument] = Instrument.objects.all()
        if "q" in asked:
            rows = rows.filter(symbol__icontains=asked["q"])
        rows = rows.filter(**{name: asked[name] for name in ("underlying", "expiry", "kind") if name in asked})
        return self.page(rows, shapes.Instrument)


class QuotesAsked(Asked):
    symbols = serializers.CharField(max_length=12_000, help_text="EXCHANGE:SYMBOL, separated by commas")


class Quotes(Door):
    @extend_schema(parameters=[QuotesAsked], responses=shapes.Quotes)
    def get(self, request: Request) -> Response:
        """Stored prices of any age. What is not stored is named in `missing`: unknown, not zero."""
        keys = list(dict.fromkeys(key for key in self.params(QuotesAsked)["symbols"].split(",") if key))
        if not 1 <= len(keys) <= MOST_SYMBOLS:
            raise Refused(f"1 to {MOST_SYMBOLS} symbols.", fields={"symbols": "too many or none"})
        known, now = quotes.get(keys), clock.now()
        body = {
            "quotes": [quote_row(known[key], now) for key in keys if key in known],
            "missing": [key for key in keys if key not in known],
        }
        return Response(shapes.Quotes(body).data)


class ChainAsked(Asked):
    underlying = serializers.CharField(max_length=20)
    expiry = serializers.DateField()
    width = serializers.IntegerField(min_value=1, max_value=MOST_STRIKES, default=10)


class Chain(Door):
    is_heavy: ClassVar[bool] = True

    @extend_schema(parameters=[ChainAsked], responses=shapes.Chain)
    def get(self, request: Request) -> Response:
        """The strikes around the money with stored prices. Volatility and greeks are there while the chain is watched.

        A page or a chain session watches it; the feed computes it each second.
        """
        asked, now = self.params(ChainAsked), clock.now()
        view = chain_view(selectors.underlying(asked["underlying"]), asked["expiry"], asked["width"], now)

        def side(one: Any) -> dict[str, Any] | None:
            if one is None:
                return None
            computed = view.computed.get(one.key)
            return {
                "key": one.key,
                "symbol": one.symbol,
                "exchange": one.exchange,
                "lot_units": one.lot_units,
                "tag": one.tag,
                "is_held": one.is_held,
                "spread": one.spread,
                **{name: getattr(computed, name, None) for name in COMPUTED},
                "quote": None if one.quote is None else quote_row(one.quote, now),
            }

        body = {
            "underlying": view.underlying.symbol,
            "expiry": view.expiry,
            "atm": view.atm,
            "spot": None if view.spot is None else quote_row(view.spot, now),
            "put_call_ratio": view.put_call_ratio,
            "max_pain": view.max_pain,
            "synthetic_forward": view.forward,
            "volume": view.volume,
            "rows": [{"strike": r.strike, "is_atm": r.is_atm, "call": side(r.call), "put": side(r.put)} for r in view.rows],
        }
        return Response(shapes.Chain(body).data)

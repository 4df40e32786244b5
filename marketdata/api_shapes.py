"""What the market endpoints answer."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework import serializers

from marketdata import models

Money = serializers.DecimalField


class MarketStatus(serializers.Serializer[Any]):
    exchange = serializers.CharField()
    is_open = serializers.BooleanField()
    opens_at = serializers.DateTimeField(allow_null=True)
    closes_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField()
    name = serializers.CharField(help_text="of the holiday or the special session")
    next_opens_at = serializers.DateTimeField(allow_null=True)
    covered = serializers.BooleanField(help_text="false: no holiday list is known for the date, entries are denied")


class Hours(serializers.ModelSerializer[models.TradingHours]):
    class Meta:
        model = models.TradingHours
        fields = ("id", "exchange", "weekday", "opens", "closes", "effective_from", "effective_to")


class Holiday(serializers.ModelSerializer[models.Holiday]):
    class Meta:
        model = models.Holiday
        fields = ("id", "exchange", "date", "name", "kind")


class SpecialSession(serializers.ModelSerializer[models.SpecialSession]):
    class Meta:
        model = models.SpecialSession
        fields = ("id", "exchange", "date", "name", "opens", "closes", "confirmed")


class MisCutoff(serializers.ModelSerializer[models.MisCutoff]):
    account = serializers.CharField(source="account.name", default=None, allow_null=True)

    class Meta:
        model = models.MisCutoff
        fields = ("id", "exchange", "broker", "account", "at", "effective_from", "effective_to")


class Calendar(serializers.Serializer[Any]):
    first = serializers.DateField()
    last = serializers.DateField()
    coverage_end = serializers.DictField(child=serializers.DateField(allow_null=True))
    hours = Hours(many=True)
    holidays = Holiday(many=True)
    special_sessions = SpecialSession(many=True)
    mis_cutoffs = MisCutoff(many=True)


class Underlying(serializers.ModelSerializer[models.Underlying]):
    class Meta:
        model = models.Underlying
        fields = ("symbol", "index_exchange", "derivative_exchange", "strike_step", "has_weeklies")


class Expiry(serializers.Serializer[Any]):
    date = serializers.DateField()
    today = serializers.BooleanField()
    slots = serializers.ListField(child=serializers.CharField())


class Expiries(serializers.Serializer[Any]):
    underlying = serializers.CharField()
    kind = serializers.CharField()
    expiries = Expiry(many=True)
    slots = serializers.DictField(child=serializers.DateField())


class Instrument(serializers.ModelSerializer[models.Instrument]):
    key = serializers.CharField()
    slice_units = serializers.SerializerMethodField()

    class Meta:
        model = models.Instrument
        fields = (
            "id", "key", "exchange", "symbol", "underlying", "kind", "expiry", "strike",
            "lot_units", "freeze_units", "slice_units", "tick", "listed_on",
        )  # fmt: skip

    def get_slice_units(self, row: models.Instrument) -> int | None:
        """The largest whole number of lots in one order; empty while the freeze quantity is not known."""
        return None if row.freeze_units is None else row.freeze_units // row.lot_units * row.lot_units


class InstrumentPage(serializers.Serializer[Any]):
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = Instrument(many=True)


def money() -> Money:
    return Money(max_digits=18, decimal_places=2, allow_null=True)


class Quote(serializers.Serializer[Any]):
    key = serializers.CharField()
    price = money()
    bid = money()
    ask = money()
    open_interest = serializers.IntegerField(allow_null=True)
    volume = serializers.IntegerField(allow_null=True)
    previous_close = money()
    source = serializers.CharField()  # type: ignore[assignment]
    exchange_at = serializers.DateTimeField(allow_null=True)
    received_at = serializers.DateTimeField()
    age_ms = serializers.IntegerField()
    fresh = serializers.BooleanField(help_text=f"young enough to decide: {settings.QUOTE_FRESH_STREAM_S:g} s streamed")


class Quotes(serializers.Serializer[Any]):
    quotes = Quote(many=True)
    missing = serializers.ListField(child=serializers.CharField())


class Side(serializers.Serializer[Any]):
    key = serializers.CharField()
    symbol = serializers.CharField()
    exchange = serializers.CharField()
    lot_units = serializers.IntegerField()
    tag = serializers.CharField(help_text="ATM, ITM1, OTM2, …")
    is_held = serializers.BooleanField()
    spread = money()
    oi_change = serializers.IntegerField(allow_null=True, help_text="since it was first seen today, in units")
    iv_percent = money()
    delta = money()
    gamma = Money(max_digits=18, decimal_places=5, allow_null=True)
    theta = money()
    vega = money()
    quote = Quote(allow_null=True)


class Row(serializers.Serializer[Any]):
    strike = money()
    is_atm = serializers.BooleanField()
    call = Side(allow_null=True)
    put = Side(allow_null=True)


class Candle(serializers.Serializer[Any]):
    opens_at = serializers.DateTimeField()
    open = money()
    high = money()
    low = money()
    close = money()
    volume = serializers.IntegerField(allow_null=True)
    source = serializers.CharField(help_text="TICKS, HISTORY or MIXED")  # type: ignore[assignment]
    covered_percent = serializers.IntegerField(help_text="of its minutes were watched whole")
    is_closed = serializers.BooleanField()
    carried = serializers.IntegerField(help_text="minutes without a trade that took the close before")


class Candles(serializers.Serializer[Any]):
    key = serializers.CharField()
    timeframe = serializers.IntegerField()
    candles = Candle(many=True)


class ChainSession(serializers.Serializer[Any]):
    id = serializers.CharField(source="key")
    topic = serializers.CharField()
    symbols = serializers.ListField(child=serializers.CharField())
    expires = serializers.DateTimeField()


class Chain(serializers.Serializer[Any]):
    underlying = serializers.CharField()
    expiry = serializers.DateField()
    atm = money()
    spot = Quote(allow_null=True)
    put_call_ratio = money()
    max_pain = money()
    synthetic_forward = money()
    volume = serializers.IntegerField(allow_null=True)
    rows = Row(many=True)

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms

from marketdata import charts, selectors
from marketdata.charts import OVERLAYS, Chart
from marketdata.domain.candles import TIMEFRAMES

MOST_TEXT = 500
_LABELS = {"supertrend": "Supertrend", "ema": "EMA 20", "rsi": "RSI 14", "atr": "ATR 14", "vwap": "VWAP"}


class ChartForm(forms.Form):
    """What a chart shows. Every field has a default, so that /charts alone is a page."""

    legs = forms.CharField(
        required=False,
        max_length=MOST_TEXT,
        label="Instrument or legs",
        help_text="NSE_INDEX:NIFTY, or legs as NFO:SYMBOL:SELL:1, separated by commas",
    )
    timeframe = forms.TypedChoiceField(coerce=int, required=False, choices=[(n, f"{n} min") for n in TIMEFRAMES], initial=5)
    days = forms.TypedChoiceField(coerce=int, required=False, choices=[(n, f"{n} d") for n in range(1, 6)], initial=1)
    side = forms.ChoiceField(required=False, choices=[("CREDIT", "credit"), ("DEBIT", "debit")], label="Structure")
    overlays = forms.MultipleChoiceField(
        required=False, choices=[(name, _LABELS[name]) for name in OVERLAYS], widget=forms.CheckboxSelectMultiple
    )
    period = forms.IntegerField(required=False, min_value=2, max_value=50, initial=10)
    multiplier = forms.DecimalField(required=False, min_value=Decimal(1), max_value=Decimal(10), decimal_places=1, initial=3)

    def chart(self) -> Chart:
        """Raises Refused, with the field, for an instrument that is not listed."""
        said: dict[str, Any] = self.cleaned_data
        return Chart(
            legs=charts.parse_legs(said["legs"] or default_legs()),
            timeframe=said["timeframe"] or 5,
            days=said["days"] or 1,
            overlays=tuple(said["overlays"]) if "sent" in self.data or said["overlays"] else ("supertrend",),
            period=said["period"] or 10,
            multiplier=said["multiplier"] or Decimal(3),
            side=said["side"] or "CREDIT",
        )


def default_legs() -> str:
    """The first index; "" while none is listed."""
    return next(iter(selectors.index_keys().values()), "")

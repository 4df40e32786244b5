"""Sample data of the component gallery. Nothing here is real."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms, template
from django.templatetags.static import static

from algomirror.frame.templatetags import states
from algomirror.kernel import clock

register = template.Library()

_REASONS = {
    "REJECTED": "RMS: margin exceeds, required ₹1,84,220.00, available ₹1,21,004.50",
    "DENIED": "LIMIT_DAILY_LOSS: ₹9,850.00 of ₹10,000.00 used",
    "UNKNOWN": "No answer within 10 s after sending",
    "LAPSED": "Not in 3 complete order books",
}


class SampleForm(forms.Form):
    name = forms.CharField(label="Name", min_length=3, help_text="3 to 100 letters, unique.")
    lots = forms.IntegerField(label="Lots", min_value=1)
    product = forms.ChoiceField(label="Product", choices=[("MIS", "MIS"), ("NRML", "NRML")])
    note = forms.CharField(label="Note", required=False)
    hedge_first = forms.BooleanField(label="Hedge first", required=False, help_text="Shorts wait for their hedges.")
    sizing = forms.ChoiceField(label="Sizing", choices=[("LOTS", "Fixed lots"), ("GRADE", "Grade")], widget=forms.RadioSelect)


@register.simple_tag
def gallery_sample() -> dict[str, Any]:
    now = clock.now()
    now_ms = int(now.timestamp() * 1000)
    return {
        "at": now,
        "expiry": clock.today(),
        "fresh_ms": now_ms,
        "stale_ms": now_ms - 8_000,
        "pnl": Decimal("12345.50"),
        "loss": Decimal("-1250"),
        "cash": Decimal("1234567.50"),
        "margin": Decimal("12000000"),
        "runs": _runs(now_ms),
        "orders": _orders(),
        "chain": _chain(now_ms),
        "goals": ["REQUESTED", "WORKING", "STUCK", "DONE"],
        "trading": ["ACTIVE", "REDUCING", "HALTED"],
        "links": ["UP", "DEGRADED", "DOWN", "UNKNOWN"],
        "form": SampleForm({"name": "Ab", "lots": "0", "product": "MIS", "sizing": "LOTS"}),
        "chart_url": static("gallery/pnl.json"),
    }


def _runs(now_ms: int) -> list[dict[str, Any]]:
    rows = (
        (12, "Iron condor weekly", "OPEN", "Zerodha Anil", "#c2410c", "LIVE", 195, "2345.50", 38, 0),
        (13, "Short straddle 09:20", "EXITING", "Fyers Meera", "#0e7490", "LIVE", -130, "-4120.25", 82, 7_000),
        (14, "Bull call spread", "BLIND", "Sandbox", "#7c3aed", "PAPER", 65, None, None, 90_000),
    )
    return [
        {
            "id": number,
            "name": name,
            "state": state,
            "account": account,
            "colour": colour,
            "mode": mode,
            "units": units,
            "pnl": None if pnl is None else Decimal(pnl),
            "share": share,
            "text": "not known" if share is None else f"{share} % of ₹5,000",
            "key": f"run:{number}:pnl",
            "bar_key": f"run:{number}:loss_share",
            "age": None if pnl is None else now_ms - old,
        }
        for number, name, state, account, colour, mode, units, pnl, share, old in rows
    ]


def _orders() -> list[dict[str, Any]]:
    return [
        {
            "symbol": f"NIFTY01DEC26{26000 + 50 * place}{'CE' if place % 2 else 'PE'}",
            "side": "SELL" if place % 3 else "BUY",
            "units": 65 if place % 2 else 195,
            "price": None if state == "INITIALIZED" else Decimal("104.25") + place,
            "state": state,
            "reason": _REASONS.get(state, ""),
        }
        for place, state in enumerate(states._ORDERS)
    ]


def _chain(now_ms: int) -> list[dict[str, Any]]:
    atm = 26_000
    rows = []
    for place, strike in enumerate(range(atm - 200, atm + 201, 50)):
        call, put = max(atm - strike, 0) + 104, max(strike - atm, 0) + 98
        rows.append(
            {
                "strike": strike,
                "atm": strike == atm,
                "call_itm": strike < atm,
                "put_itm": strike > atm,
                "ce": f"NFO:NIFTY01DEC26{strike}CE",
                "pe": f"NFO:NIFTY01DEC26{strike}PE",
                "ce_symbol": f"NIFTY01DEC26{strike}CE",
                "call_oi": 512_300 + 91_350 * place,
                "put_oi": 1_243_125 - 71_500 * place,
                "call_share": 20 + 8 * place,
                "put_share": 92 - 8 * place,
                "call_ltp": Decimal(call) + Decimal("0.25"),
                "call_bid": Decimal(call) + Decimal("0.20"),
                "call_ask": Decimal(call) + Decimal("0.30"),
                "put_ltp": Decimal(put),
                "age": now_ms - (6_000 if strike == 26_100 else 0),
            }
        )
    return rows

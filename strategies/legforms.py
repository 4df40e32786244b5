"""Leg rows of the builder, as typed. They read; whether a leg may be, the domain says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.forms import BaseFormSet, formset_factory

from marketdata.models import Underlying
from strategies.domain.legfaults import NEEDS_LIMIT, NEEDS_TRIGGER, STEPPED, VALUES
from strategies.domain.legs import MAX_LEGS, LegSpec, with_hedges
from strategies.models import Leg

SIDES = [("BUY", "BUY"), ("SELL", "SELL")]
STRIKES = [
    ("ATM", "ATM"),
    ("ITM", "ITM, steps"),
    ("OTM", "OTM, steps"),
    ("STRIKE", "strike ₹"),
    ("PREMIUM", "premium near ₹"),
    ("DELTA", "delta near"),
    ("STRADDLE", "% of straddle"),
]


def _price(label: str) -> forms.DecimalField:
    return forms.DecimalField(label=label, required=False, max_digits=10, decimal_places=2, widget=forms.TextInput)


class LegForm(forms.Form):
    action = forms.ChoiceField(choices=SIDES, initial="SELL", label="Side")
    lots = forms.IntegerField(min_value=1, max_value=100, initial=1)
    underlying = forms.ChoiceField()
    kind = forms.ChoiceField(choices=[("CE", "CE call"), ("PE", "PE put"), ("FUT", "future")], label="Type")
    slot = forms.ChoiceField(choices=Leg.Slot.choices, label="Expiry")
    expiry_date = forms.DateField(label="Date", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    strike_mode = forms.ChoiceField(choices=STRIKES, initial="ATM", label="Strike", required=False)
    strike_offset = forms.IntegerField(min_value=0, max_value=20, initial=0, label="Steps", required=False)
    strike_value = forms.DecimalField(
        label="Value", required=False, max_digits=12, decimal_places=2, min_value=Decimal(0), widget=forms.TextInput
    )
    tolerance = forms.IntegerField(label="± %", required=False, min_value=1, max_value=50, initial=20)
    price_type = forms.ChoiceField(
        label="Order", choices=Leg.PriceType.choices, required=False, initial=Leg.PriceType.MARKET_PROTECTED
    )
    limit_price = _price("Limit ₹")
    trigger_price = _price("Trigger ₹")
    hedges = forms.RegexField(
        r"^\s*(auto|none|\d{1,2}(\s*,\s*\d{1,2})*)?\s*$",
        required=False,
        initial="auto",
        label="Covers",
        help_text="A long leg: auto, none, or numbers of the short legs it covers.",
        error_messages={"invalid": "auto, none, or leg numbers such as 1,3"},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = Underlying.objects.filter(enabled=True).values_list("symbol", flat=True)
        self.fields["underlying"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]
        # Read by static/js/builder.js: which choices need this field; the others hide and empty it.
        needs = {
            "expiry_date": "slot:DATE",
            "strike_offset": f"strike_mode:{','.join(sorted(STEPPED))}",
            "strike_value": f"strike_mode:{','.join(VALUES)}",
            "tolerance": "strike_mode:PREMIUM,STRADDLE",
            "limit_price": f"price_type:{','.join(sorted(NEEDS_LIMIT))}",
            "trigger_price": f"price_type:{','.join(sorted(NEEDS_TRIGGER))}",
            "strike_mode": "kind:CE,PE",
        }
        for name, when in needs.items():
            self.fields[name].widget.attrs["data-needed-by"] = when

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        mode = typed.get("strike_mode") or "ATM"
        if typed.get("kind") != "FUT" and "strike_offset" not in self.errors:
            if mode == "ATM" and typed.get("strike_offset"):
                self.add_error("strike_offset", "ATM has no steps")
            if mode in STEPPED and not typed.get("strike_offset"):
                self.add_error("strike_offset", "1 to 20 steps")
        return typed

    def spec(self, number: int) -> LegSpec:
        """Call when the form is valid. Hedge links are made for all legs together."""
        typed = self.cleaned_data
        return LegSpec(
            number=number,
            underlying=typed["underlying"],
            kind=typed["kind"],
            slot=typed["slot"],
            action="BUY" if typed["action"] == "BUY" else "SELL",
            strike_mode=typed["strike_mode"] or "ATM",
            strike_offset=typed["strike_offset"] or 0,
            lots=typed["lots"],
            expiry_date=typed["expiry_date"],
            strike_value=typed["strike_value"],
            tolerance=typed["tolerance"] or 20,
            price_type=typed["price_type"] or "MARKET_PROTECTED",
            limit_price=typed["limit_price"],
            trigger_price=typed["trigger_price"],
        )


LegFormSet: type[BaseFormSet[LegForm]] = formset_factory(
    LegForm, extra=0, min_num=1, max_num=MAX_LEGS, absolute_max=MAX_LEGS, validate_max=True, validate_min=True
)
LEG_FIELDS = tuple(LegForm.base_fields)
LEG_DEFAULT: Mapping[str, Any] = {
    "action": "SELL",
    "lots": 1,
    "slot": "CURRENT_WEEK",
    "strike_mode": "ATM",
    "strike_offset": 0,
    "tolerance": 20,
    "price_type": "MARKET_PROTECTED",
    "kind": "CE",
    "hedges": "auto",
}


def leg_rows(posted: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The leg rows as typed, whatever they hold; for adding, removing and duplicating without judging them."""
    total = str(posted.get("legs-TOTAL_FORMS", "0"))
    count = min(int(total), MAX_LEGS) if total.isascii() and total.isdigit() and len(total) < 4 else 0
    return [{name: posted.get(f"legs-{row}-{name}", "") for name in LEG_FIELDS} for row in range(count)]


def row_of(act: str) -> int:
    """The row an act names ("remove:2"); -1 for none."""
    number = act.split(":")[1] if ":" in act else ""
    return int(number) if number.isascii() and number.isdigit() and len(number) < 4 else -1


def change_rows(rows: list[dict[str, Any]], act: str) -> list[dict[str, Any]]:
    """ "add", "remove:<row>", "duplicate:<row>", "strike:<row>:<rupees>" or "steps:<row>:<mode>:<steps>" on typed rows.

    Anything else changes nothing. Always 1 to 12 rows.
    """
    what, _, rest = act.partition(":")
    at, chosen = row_of(act), rest.partition(":")[2]
    if what == "add" and len(rows) < MAX_LEGS:
        rows = [*rows, {**LEG_DEFAULT, "underlying": rows[-1]["underlying"] if rows else ""}]
    elif what == "remove" and 0 <= at < len(rows) and len(rows) > 1:
        rows = [*rows[:at], *rows[at + 1 :]]
    elif what == "duplicate" and 0 <= at < len(rows) < MAX_LEGS:
        rows = [*rows[: at + 1], dict(rows[at]), *rows[at + 1 :]]
    elif what == "strike" and 0 <= at < len(rows):
        rows[at] |= {"strike_mode": "STRIKE", "strike_offset": 0, "strike_value": chosen[:16]}
    elif what == "steps" and 0 <= at < len(rows):
        mode, _, steps = chosen.partition(":")
        rows[at] |= {"strike_mode": mode[:8], "strike_offset": steps[:3], "strike_value": ""}
    return rows or [dict(LEG_DEFAULT)]


def legs_of(formset: BaseFormSet[LegForm]) -> list[LegSpec]:
    """The legs of a valid formset, numbered from 1, with their hedge links."""
    specs: list[LegSpec] = []
    chosen: dict[int, tuple[int, ...] | None] = {}
    for number, form in enumerate(formset.forms, start=1):
        words = (form.cleaned_data.get("hedges") or "auto").strip()
        chosen[number] = None if words == "auto" else () if words == "none" else tuple(int(w) for w in words.split(","))
        specs.append(form.spec(number))
    return with_hedges(specs, chosen)


def rows_of(legs: Sequence[LegSpec]) -> list[dict[str, Any]]:
    """What the builder shows for saved legs."""
    return [
        {
            "action": leg.action,
            "lots": leg.lots,
            "underlying": leg.underlying,
            "slot": leg.slot,
            "expiry_date": leg.expiry_date,
            "strike_mode": leg.strike_mode,
            "strike_offset": leg.strike_offset,
            "strike_value": leg.strike_value,
            "tolerance": leg.tolerance,
            "price_type": leg.price_type,
            "limit_price": leg.limit_price,
            "trigger_price": leg.trigger_price,
            "kind": leg.kind,
            "hedges": "auto" if leg.is_short else ",".join(map(str, leg.hedges)) or "none",
        }
        for leg in legs
    ]

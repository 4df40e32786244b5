"""Forms of strategies, tickets and limits. They read what was typed; whether it may be, services say."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import forms

from accounts.models import Account
from algomirror.kernel.errors import Refused
from risk.domain.limits import LimitTerms, amount
from risk.forms import RiskTermsForm
from risk.models import Action, RunLimits
from risk.pages import LimitRow
from strategies.domain.legs import MAX_LEGS
from strategies.domain.payoff import WhatIf
from strategies.domain.tickets import PRICE_TYPES, WORDS, Ticket, TicketLeg
from strategies.models import Version
from trading.domain.smart import RULE

PRODUCTS = [("", "choose"), *((product, product) for product in Version.Product.values)]
ACTIONS = [("EXIT", "exit"), ("ALERT", "alert only")]
SIDES = [("BUY", "BUY"), ("SELL", "SELL")]


def account_choices() -> list[tuple[int, str]]:
    return [(a.pk, f"{a.name} ({a.mode.lower()})") for a in Account.objects.filter(archived_at=None)]


class RupeesField(forms.CharField):
    """A limit in rupees: ± means the same, empty is off, 0 is refused."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, max_length=24, **options)
        self.widget.attrs.update({"inputmode": "decimal", "placeholder": "off"})

    def clean(self, value: Any) -> Any:
        try:
            return amount(super().clean(value), "amount")
        except Refused as refused:
            raise forms.ValidationError(refused.fields.get("amount", refused.message)) from refused


class LimitsForm(RiskTermsForm):
    max_loss = RupeesField(label="Max loss ₹", help_text="Exit when P&L is at or below minus this. Empty: off.")
    max_loss_action = forms.ChoiceField(label="At max loss", choices=ACTIONS, initial=Action.EXIT)
    max_profit = RupeesField(label="Max profit ₹", help_text="Exit when P&L is at or above this. Empty: off.")
    max_profit_action = forms.ChoiceField(label="At max profit", choices=ACTIONS, initial=Action.EXIT)
    scope = forms.ChoiceField(
        label="Limits watch", choices=[(RunLimits.Scope.RUN, "the whole run"), (RunLimits.Scope.BOOK, "each account alone")]
    )
    blind_policy = forms.ChoiceField(
        label="When prices are missing for 60 s",
        choices=[(RunLimits.Blind.HOLD, "hold and keep alarming"), (RunLimits.Blind.FLATTEN, "flatten")],
    )

    def terms(self, *, scope: str = "") -> LimitTerms:
        """`scope` where the form does not ask for it."""
        typed = self.cleaned_data
        return LimitTerms(
            max_loss=typed["max_loss"],
            max_profit=typed["max_profit"],
            scope="BOOK" if (scope or typed["scope"]) == "BOOK" else "RUN",
            max_loss_action="ALERT" if typed["max_loss_action"] == "ALERT" else "EXIT",
            max_profit_action="ALERT" if typed["max_profit_action"] == "ALERT" else "EXIT",
            blind_policy="FLATTEN" if typed["blind_policy"] == "FLATTEN" else "HOLD",
            more=self.risk_terms(),
        )


class ChangeLimitsForm(LimitsForm):
    """For an open run: what the limits watch is fixed for its life, so it is not asked."""

    scope = None  # type: ignore[assignment]
    why = forms.CharField(label="Reason", required=False, max_length=300, help_text="Needed when a limit is loosened.")


class TicketForm(forms.Form):
    """One contract typed or chosen in the chain, or a basket of them as JSON in `legs`."""

    legs = forms.CharField(required=False, max_length=8000, widget=forms.HiddenInput)
    exchange = forms.CharField(required=False, max_length=12)
    symbol = forms.CharField(required=False, max_length=50)
    action = forms.ChoiceField(choices=SIDES, required=False, label="Side")
    lots = forms.IntegerField(required=False, min_value=1, max_value=100)
    product = forms.ChoiceField(choices=PRODUCTS)
    price_type = forms.ChoiceField(
        choices=[(name, WORDS[name]) for name in PRICE_TYPES],
        initial="MARKET_PROTECTED",
        help_text=RULE,
    )
    price = forms.DecimalField(
        required=False, max_digits=10, decimal_places=2, label="Limit price", help_text="For limit and SL."
    )
    trigger_price = forms.DecimalField(
        required=False,
        max_digits=10,
        decimal_places=2,
        label="Trigger price",
        help_text="For SL and SL-M: above the market to BUY, below it to SELL.",
    )
    reduce_only = forms.BooleanField(
        required=False, label="Reduce only", help_text="Close part of what the ticket book owns; never open anything."
    )
    accounts = forms.TypedMultipleChoiceField(coerce=int, widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["accounts"].choices = account_choices()  # type: ignore[attr-defined]
        if not (self.data.get("legs") or self.initial.get("legs")):
            for name in ("exchange", "symbol", "action", "lots"):
                self.fields[name].required = True

    def ticket(self) -> Ticket:
        """Raises Refused when the basket is not readable; services judge the rest."""
        typed = self.cleaned_data
        if typed.get("legs"):
            legs: Sequence[TicketLeg] = basket(typed["legs"])
        else:
            side = "BUY" if typed["action"] == "BUY" else "SELL"
            legs = [TicketLeg(typed["exchange"], typed["symbol"], side, typed["lots"])]  # type: ignore[arg-type]
        return Ticket(
            legs=tuple(legs),
            account_ids=tuple(typed["accounts"]),
            product="MIS" if typed["product"] == "MIS" else "NRML",
            price_type=typed["price_type"],
            price=typed["price"],
            trigger_price=typed["trigger_price"],
            reduce_only=typed["reduce_only"],
        )


def basket(text: str) -> list[TicketLeg]:
    """[{"exchange", "symbol", "side", "lots"}] as the chain's tray posts it; Refused for anything else."""
    try:
        rows = json.loads(text)
        legs = [_basket_leg(row) for row in rows]
    except (ValueError, TypeError, KeyError) as error:
        raise Refused("The basket could not be read.", fields={"legs": "not a list of contracts"}) from error
    if not 1 <= len(legs) <= MAX_LEGS:
        raise Refused("The basket could not be read.", fields={"legs": f"1 to {MAX_LEGS} contracts"})
    return legs


def _basket_leg(row: Mapping[str, Any]) -> TicketLeg:
    exchange, symbol, side, lots = row["exchange"], row["symbol"], row["side"], row["lots"]
    if not (isinstance(exchange, str) and isinstance(symbol, str) and len(exchange) <= 12 and len(symbol) <= 50):
        raise ValueError("not a contract")
    if side not in ("BUY", "SELL") or isinstance(lots, bool) or not isinstance(lots, int) or not 1 <= lots <= 999:
        raise ValueError("not a side or lots")
    return TicketLeg(exchange, symbol, side, lots)


class SendForm(forms.Form):
    """What the send button carries: which plan, what the sender saw of it, and which intention this is."""

    plan = forms.CharField(max_length=32)
    digest = forms.CharField(max_length=64)
    idempotency_key = forms.CharField(max_length=64)


class ExitForm(forms.Form):
    idempotency_key = forms.CharField(max_length=64, required=False)
    why = forms.CharField(max_length=300, required=False)


class WhatIfForm(forms.Form):
    """The present moved, for the payoff chart only."""

    whatif_spot = forms.DecimalField(label="Index at", required=False, min_value=Decimal(1), max_value=Decimal(1_000_000))
    whatif_iv = forms.DecimalField(label="IV, points ±", required=False, min_value=Decimal(-50), max_value=Decimal(100))
    whatif_days = forms.DecimalField(label="Days later", required=False, min_value=Decimal(0), max_value=Decimal(400))

    def what_if(self) -> WhatIf:
        typed = self.cleaned_data
        spot = typed["whatif_spot"]
        return WhatIf(
            spot=None if spot is None else float(spot),
            vol_shift=float(typed["whatif_iv"] or 0) / 100,
            days=float(typed["whatif_days"] or 0),
        )


class PauseForm(forms.Form):
    """Hold one guard of an open run back for a while, or let it act again."""

    guard = forms.TypedChoiceField(coerce=int)
    minutes = forms.TypedChoiceField(
        coerce=int,
        label="For",
        choices=[*((n, f"{n} minutes") for n in (5, 15, 30, 60, 120, 240)), (0, "no longer, it acts again")],
    )
    why = forms.CharField(label="Reason", max_length=300)

    def __init__(self, limits: Sequence[LimitRow], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["guard"]
        assert isinstance(field, forms.TypedChoiceField)
        field.choices = [(row.guard_id, f"{row.name}, {row.scope}") for row in limits if row.state != "TRIPPED"]


class NoteForm(forms.Form):
    text = forms.CharField(max_length=2000, widget=forms.Textarea(attrs={"rows": 2}))


class TagsForm(forms.Form):
    words = forms.CharField(required=False, max_length=320, label="Tags", help_text="Words, separated by commas.")

    def listed(self) -> list[str]:
        return list(dict.fromkeys(word.strip()[:30] for word in self.cleaned_data["words"].split(",") if word.strip()))

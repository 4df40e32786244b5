"""Forms of strategies, tickets and limits. They read what was typed; whether it may be, services say."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.forms import BaseFormSet, formset_factory

from accounts.models import Account
from algomirror.kernel.errors import Refused
from marketdata.models import Underlying
from risk.domain.limits import LimitTerms, amount
from risk.models import Action, RunLimits
from strategies.domain.drafts import Draft
from strategies.domain.legs import MAX_LEGS, LegSpec, with_hedges
from strategies.domain.tickets import PRICE_TYPES, Ticket, TicketLeg
from strategies.models import Leg, Version

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


class LimitsForm(forms.Form):
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
        )


class ChangeLimitsForm(LimitsForm):
    """For an open run: what the limits watch is fixed for its life, so it is not asked."""

    scope = None  # type: ignore[assignment]
    why = forms.CharField(label="Reason", required=False, max_length=300, help_text="Needed when a limit is loosened.")


class StrategyForm(LimitsForm):
    name = forms.CharField(max_length=80)
    description = forms.CharField(required=False, max_length=500)
    product = forms.ChoiceField(choices=PRODUCTS)
    hedge_wait_s = forms.IntegerField(
        label="Hedge wait, seconds",
        min_value=2,
        max_value=120,
        initial=10,
        help_text="A short waits this long for its hedge to fill; then the account's entry is aborted and unwound.",
    )
    accounts = forms.TypedMultipleChoiceField(coerce=int, widget=forms.CheckboxSelectMultiple)
    base = forms.IntegerField(required=False, widget=forms.HiddenInput)

    field_order = ["name", "description", "product", "accounts", "hedge_wait_s"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["accounts"].choices = account_choices()  # type: ignore[attr-defined]


class LegForm(forms.Form):
    action = forms.ChoiceField(choices=SIDES, initial="SELL", label="Side")
    lots = forms.IntegerField(min_value=1, max_value=100, initial=1)
    underlying = forms.ChoiceField()
    slot = forms.ChoiceField(choices=Leg.Slot.choices, label="Expiry")
    strike_mode = forms.ChoiceField(choices=[(mode, mode) for mode in Leg.Strike.values], initial=Leg.Strike.ATM, label="Strike")
    strike_offset = forms.IntegerField(min_value=0, max_value=20, initial=0, label="Steps")
    kind = forms.ChoiceField(choices=[(kind, kind) for kind in Leg.Kind.values], label="Type")
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
        for name in ("lots", "strike_offset", "hedges"):
            self.fields[name].widget.attrs["class"] = "w-16"

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        if typed.get("strike_mode") == "ATM" and typed.get("strike_offset"):
            self.add_error("strike_offset", "ATM has no steps")
        if typed.get("strike_mode") in ("ITM", "OTM") and typed.get("strike_offset") == 0:
            self.add_error("strike_offset", "1 to 20 steps")
        return typed


LegFormSet: type[BaseFormSet[LegForm]] = formset_factory(
    LegForm, extra=0, min_num=1, max_num=MAX_LEGS, absolute_max=MAX_LEGS, validate_max=True, validate_min=True
)
LEG_FIELDS = ("action", "lots", "underlying", "slot", "strike_mode", "strike_offset", "kind", "hedges")
LEG_DEFAULT: Mapping[str, Any] = {
    "action": "SELL",
    "lots": 1,
    "slot": "CURRENT_WEEK",
    "strike_mode": "ATM",
    "strike_offset": 0,
    "kind": "CE",
    "hedges": "auto",
}


def leg_rows(posted: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The leg rows as typed, whatever they hold; for adding, removing and duplicating without judging them."""
    total = str(posted.get("legs-TOTAL_FORMS", "0"))
    count = min(int(total), MAX_LEGS) if total.isascii() and total.isdigit() and len(total) < 4 else 0
    return [{name: posted.get(f"legs-{row}-{name}", "") for name in LEG_FIELDS} for row in range(count)]


def change_rows(rows: list[dict[str, Any]], act: str) -> list[dict[str, Any]]:
    """ "add", "remove:<row>" or "duplicate:<row>" on typed rows; anything else changes nothing. Always 1 to 12 rows."""
    what, _, number = act.partition(":")
    at = int(number) if number.isascii() and number.isdigit() and len(number) < 4 else -1
    if what == "add" and len(rows) < MAX_LEGS:
        rows = [*rows, {**LEG_DEFAULT, "underlying": rows[-1]["underlying"] if rows else ""}]
    elif what == "remove" and 0 <= at < len(rows) and len(rows) > 1:
        rows = [*rows[:at], *rows[at + 1 :]]
    elif what == "duplicate" and 0 <= at < len(rows) < MAX_LEGS:
        rows = [*rows[: at + 1], dict(rows[at]), *rows[at + 1 :]]
    return rows or [dict(LEG_DEFAULT)]


def legs_of(formset: BaseFormSet[LegForm]) -> list[LegSpec]:
    """The legs of a valid formset, numbered from 1, with their hedge links."""
    specs: list[LegSpec] = []
    chosen: dict[int, tuple[int, ...] | None] = {}
    for number, form in enumerate(formset.forms, start=1):
        typed = form.cleaned_data
        words = (typed.get("hedges") or "auto").strip()
        chosen[number] = None if words == "auto" else () if words == "none" else tuple(int(w) for w in words.split(","))
        specs.append(
            LegSpec(
                number=number,
                underlying=typed["underlying"],
                kind="CE" if typed["kind"] == "CE" else "PE",
                slot=typed["slot"],
                action="BUY" if typed["action"] == "BUY" else "SELL",
                strike_mode="ATM" if typed["strike_mode"] == "ATM" else "ITM" if typed["strike_mode"] == "ITM" else "OTM",
                strike_offset=typed["strike_offset"],
                lots=typed["lots"],
            )
        )
    return with_hedges(specs, chosen)


def draft_of(form: StrategyForm, formset: BaseFormSet[LegForm]) -> Draft:
    typed = form.cleaned_data
    return Draft(
        name=typed["name"],
        description=typed["description"],
        product="MIS" if typed["product"] == "MIS" else "NRML",
        account_ids=tuple(typed["accounts"]),
        legs=tuple(legs_of(formset)),
        limits=form.terms(),
        hedge_wait_s=typed["hedge_wait_s"],
    )


def initial_of(draft: Draft, base: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What the builder shows for a saved version: the form's and the legs' initial values."""
    limits = draft.limits
    form = {
        "name": draft.name,
        "description": draft.description,
        "product": draft.product,
        "accounts": list(draft.account_ids),
        "hedge_wait_s": draft.hedge_wait_s,
        "max_loss": limits.max_loss,
        "max_profit": limits.max_profit,
        "scope": limits.scope,
        "max_loss_action": limits.max_loss_action,
        "max_profit_action": limits.max_profit_action,
        "blind_policy": limits.blind_policy,
        "base": base,
    }
    legs = [
        {
            "action": leg.action,
            "lots": leg.lots,
            "underlying": leg.underlying,
            "slot": leg.slot,
            "strike_mode": leg.strike_mode,
            "strike_offset": leg.strike_offset,
            "kind": leg.kind,
            "hedges": "auto" if leg.is_short else ",".join(map(str, leg.hedges)) or "none",
        }
        for leg in draft.legs
    ]
    return form, legs


def take_refusal(form: forms.Form, formset: BaseFormSet[LegForm], refused: Refused) -> None:
    """A service's refusal beside the fields it speaks of; "legs-2-lots" is the lots of the third row."""
    form.full_clean()
    formset.full_clean()
    for name, what in refused.fields.items():
        prefix, _, rest = name.partition("-")
        row, _, field = rest.partition("-")
        if prefix == "legs" and row.isdigit() and int(row) < len(formset.forms) and field in formset.forms[int(row)].fields:
            formset.forms[int(row)].add_error(field, what)
        elif name in form.fields:
            form.add_error(name, what)
        else:
            form.add_error(None, f"{name}: {what}")
    if not refused.fields:
        form.add_error(None, refused.message)


class TicketForm(forms.Form):
    """One contract typed or chosen in the chain, or a basket of them as JSON in `legs`."""

    legs = forms.CharField(required=False, max_length=8000, widget=forms.HiddenInput)
    exchange = forms.CharField(required=False, max_length=12)
    symbol = forms.CharField(required=False, max_length=50)
    action = forms.ChoiceField(choices=SIDES, required=False, label="Side")
    lots = forms.IntegerField(required=False, min_value=1, max_value=100)
    product = forms.ChoiceField(choices=PRODUCTS)
    price_type = forms.ChoiceField(
        choices=[(name, name.replace("_", "-").lower() if "_" in name else name) for name in PRICE_TYPES],
        initial="MARKET_PROTECTED",
    )
    price = forms.DecimalField(required=False, max_digits=10, decimal_places=2)
    trigger_price = forms.DecimalField(required=False, max_digits=10, decimal_places=2)
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

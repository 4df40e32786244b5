"""The builder's form: what a strategy is, on whom, how much, when. It reads; services judge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.forms import BaseFormSet, BoundField

from accounts.models import Account
from algomirror.kernel.errors import Refused
from risk.forms import risk_initial
from risk.services import margins
from strategies.domain.drafts import Draft, ScheduleTerms, SizingTerms
from strategies.forms import PRODUCTS, LimitsForm
from strategies.legforms import LegForm, legs_of, rows_of
from strategies.models import AccountGroup, GroupMember, Version

WEEKDAYS = [(0, "Mon"), (1, "Tue"), (2, "Wed"), (3, "Thu"), (4, "Fri"), (5, "Sat"), (6, "Sun")]


@dataclass(frozen=True, slots=True)
class AccountRow:
    """One account of the form: is it chosen, and its factor."""

    account: Account
    is_chosen: bool
    factor: BoundField


def _time(label: str, help_text: str = "") -> forms.TimeField:
    return forms.TimeField(label=label, required=False, help_text=help_text, widget=forms.TimeInput(attrs={"type": "time"}))


class StrategyForm(LimitsForm):
    name = forms.CharField(max_length=80)
    description = forms.CharField(required=False, max_length=500)
    tags = forms.CharField(required=False, max_length=320, help_text="Words, separated by commas.")
    product = forms.ChoiceField(choices=PRODUCTS)
    market_condition = forms.ChoiceField(
        label="On which days", choices=Version.Condition.choices, required=False, initial=Version.Condition.ANY
    )
    hedge_wait_s = forms.IntegerField(
        label="Hedge wait, seconds",
        min_value=2,
        max_value=120,
        initial=10,
        help_text="A short waits this long for its hedge to fill; then the account's entry is aborted and unwound.",
    )
    sizing = forms.ChoiceField(choices=Version.Sizing.choices, required=False, initial=Version.Sizing.FIXED_LOTS)
    grade = forms.ChoiceField(required=False, help_text="Lots are then the ratio of the legs.")
    allocation = forms.ChoiceField(
        choices=Version.Allocation.choices, required=False, initial=Version.Allocation.EQUAL, help_text="For fixed lots."
    )
    margin_policy = forms.ChoiceField(
        label="Margin by", choices=Version.MarginPolicy.choices, required=False, initial=Version.MarginPolicy.LOWER_OF_BOTH
    )
    shortfall = forms.ChoiceField(
        label="When margin is short", choices=Version.Shortfall.choices, required=False, initial=Version.Shortfall.SKIP_ACCOUNT
    )
    weekdays = forms.TypedMultipleChoiceField(
        coerce=int, required=False, choices=WEEKDAYS, widget=forms.CheckboxSelectMultiple, initial=[0, 1, 2, 3, 4]
    )
    entry_time = _time("Entry at", "In India. Empty: started by hand only.")
    latest_entry_time = _time("Not after", "Empty: five minutes after the entry time.")
    days_to_expiry_min = forms.IntegerField(label="Days to expiry, from", required=False, min_value=0, max_value=400)
    days_to_expiry_max = forms.IntegerField(label="Days to expiry, to", required=False, min_value=0, max_value=400)
    group = forms.ChoiceField(required=False, label="Accounts of group", help_text="Added to those ticked, with its factors.")
    accounts = forms.TypedMultipleChoiceField(coerce=int, required=False, widget=forms.CheckboxSelectMultiple)
    base = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._accounts = list(Account.objects.filter(archived_at=None))
        self.fields["accounts"].choices = [(a.pk, a.name) for a in self._accounts]  # type: ignore[attr-defined]
        grades = [(grade.name, f"{grade.name} {grade.share.normalize():f}% {grade.label}") for grade in margins.grades()]
        self.fields["grade"].choices = [("", "none"), *grades]  # type: ignore[attr-defined]
        groups = [(str(group.pk), group.name) for group in AccountGroup.objects.all()]
        self.fields["group"].choices = [("", "none"), *groups]  # type: ignore[attr-defined]
        for account in self._accounts:
            field = forms.DecimalField(
                label=f"Factor of {account.name}", required=False, max_digits=8, decimal_places=3, min_value=Decimal(0)
            )
            field.widget = forms.TextInput(attrs={"inputmode": "decimal", "class": "w-20", "placeholder": "1"})
            self.fields[f"factor-{account.pk}"] = field

    def account_rows(self) -> Iterator[AccountRow]:
        chosen = {str(value) for value in self["accounts"].value() or ()}
        for account in self._accounts:
            yield AccountRow(account, str(account.pk) in chosen, self[f"factor-{account.pk}"])

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        if not typed.get("accounts") and not typed.get("group") and not self.data.get("is_template"):
            self.add_error("accounts", "choose at least one account")
        if typed.get("latest_entry_time") and not typed.get("entry_time"):
            self.add_error("entry_time", "needed when a latest time is set")
        return typed

    def members(self) -> dict[int, Decimal]:
        """Factor by chosen account; a group's own factor where none is typed."""
        typed = self.cleaned_data
        group = GroupMember.objects.filter(group_id=typed["group"], account__archived_at=None) if typed.get("group") else ()
        found = {member.account_id: member.factor for member in group}
        chosen = dict.fromkeys([*found, *typed.get("accounts", ())])
        factors: dict[int, Decimal] = {}
        for pk in chosen:
            own = typed.get(f"factor-{pk}")
            factors[pk] = own if own is not None else found.get(pk, Decimal(1))
        return factors

    def schedule(self) -> ScheduleTerms | None:
        typed = self.cleaned_data
        entry = typed.get("entry_time")
        if entry is None:
            return None
        minute = entry.hour * 60 + entry.minute + 5
        later = entry.replace(hour=min(minute // 60, 23), minute=minute % 60 if minute < 1440 else 59)
        return ScheduleTerms(
            weekdays=tuple(typed["weekdays"]),
            entry=entry,
            latest=typed.get("latest_entry_time") or later,
            days_to_expiry_min=typed.get("days_to_expiry_min"),
            days_to_expiry_max=typed.get("days_to_expiry_max"),
        )


def draft_of(form: StrategyForm, formset: BaseFormSet[LegForm]) -> Draft:
    typed = form.cleaned_data
    factors = form.members()
    return Draft(
        name=typed["name"],
        description=typed["description"],
        tags=tuple(word.strip() for word in typed["tags"].split(",") if word.strip()),
        product="MIS" if typed["product"] == "MIS" else "NRML",
        account_ids=tuple(sorted(factors)),
        factors=factors,
        legs=tuple(legs_of(formset)),
        limits=form.terms(),
        hedge_wait_s=typed["hedge_wait_s"],
        condition=typed["market_condition"] or "ANY",
        sizing=SizingTerms(
            mode="GRADE" if typed["sizing"] == "GRADE" else "FIXED_LOTS",
            grade=typed["grade"],
            allocation=typed["allocation"] or "EQUAL",
            policy=typed["margin_policy"] or "LOWER_OF_BOTH",
            shortfall=typed["shortfall"] or "SKIP_ACCOUNT",
        ),
        schedule=form.schedule(),
    )


def initial_of(draft: Draft, base: int | None) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What the builder shows for a draft: the form's and the legs' initial values. `base` None: it is new."""
    limits, times = draft.limits, draft.schedule
    form: dict[str, Any] = {
        "name": draft.name,
        "description": draft.description,
        "tags": ", ".join(draft.tags),
        "product": draft.product,
        "market_condition": draft.condition,
        "accounts": list(draft.account_ids),
        "hedge_wait_s": draft.hedge_wait_s,
        "sizing": draft.sizing.mode,
        "grade": draft.sizing.grade,
        "allocation": draft.sizing.allocation,
        "margin_policy": draft.sizing.policy,
        "shortfall": draft.sizing.shortfall,
        "max_loss": limits.max_loss,
        "max_profit": limits.max_profit,
        "scope": limits.scope,
        "max_loss_action": limits.max_loss_action,
        "max_profit_action": limits.max_profit_action,
        "blind_policy": limits.blind_policy,
        "base": base,
        **risk_initial(limits.more),
        **{f"factor-{pk}": f"{factor.normalize():f}" for pk, factor in draft.factors.items() if factor != 1},
    }
    if times is not None:
        form |= {
            "weekdays": list(times.weekdays),
            "entry_time": f"{times.entry:%H:%M}",
            "latest_entry_time": f"{times.latest:%H:%M}",
            "days_to_expiry_min": times.days_to_expiry_min,
            "days_to_expiry_max": times.days_to_expiry_max,
        }
    return form, rows_of(draft.legs)


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
        elif name == "factors":
            form.add_error("accounts", f"factors: {what}")
        else:
            form.add_error(None, f"{name}: {what}")
    if not refused.fields:
        form.add_error(None, refused.message)

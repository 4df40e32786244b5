"""Limits above the run, and the filters of risk events, as typed."""

from __future__ import annotations

from typing import Any

from django import forms

from accounts.models import Account
from risk.forms import AmountField
from risk.models import AccountLimits, GroupLimits, RiskEvent


class CountField(forms.IntegerField):
    def __init__(self, *, max_value: int = 100_000, **options: Any) -> None:
        super().__init__(required=False, min_value=1, max_value=max_value, **options)
        self.widget.attrs.update({"placeholder": "off", "class": "w-24"})


class AccountLimitsForm(forms.Form):
    """One account's limits, or those over all accounts. Empty is off."""

    daily_loss = AmountField(label="Daily loss ₹", help_text="At or below minus this: everything leaves, entries are locked.")
    daily_profit = AmountField(label="Daily profit ₹", help_text="At or above this: everything leaves, entries are locked.")
    max_lots = CountField(label="Open lots")
    max_notional = AmountField(label="Notional ₹", help_text="Strike × units of what is open and may still open.")
    orders_per_minute = CountField(label="Orders a minute")
    orders_per_day = CountField(label="Orders a day")
    max_runs = CountField(label="Open runs")
    losing_exits = CountField(label="Losing exits in a row")
    cool_down_minutes = CountField(label="then no entries for minutes")
    max_utilisation = CountField(
        label="Margin in use, at most %", max_value=100, help_text="Entries that would use more are sized down or refused."
    )
    margin_alarm = CountField(label="Alarm at % of margin in use", max_value=100)

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        pair = typed.get("losing_exits"), typed.get("cool_down_minutes")
        if (pair[0] is None) != (pair[1] is None):
            self.add_error("cool_down_minutes", "a cool-down needs both: how many, and how long")
        return typed


class GroupLimitsForm(forms.Form):
    """What the accounts of a group may lose or make together in a day. Empty is off."""

    daily_loss = AmountField(
        label="Daily loss ₹", help_text="All of them together at or below minus this: every one leaves, its entries are locked."
    )
    daily_profit = AmountField(
        label="Daily profit ₹", help_text="All of them together at or above this: every one leaves, its entries are locked."
    )


def group_limits_form(row: GroupLimits | None) -> GroupLimitsForm:
    names = GroupLimitsForm.base_fields
    return GroupLimitsForm(initial={} if row is None else {name: getattr(row, name) for name in names})


def limits_form(row: AccountLimits | None) -> AccountLimitsForm:
    names = AccountLimitsForm.base_fields
    return AccountLimitsForm(initial={} if row is None else {name: getattr(row, name) for name in names})


class EventsFilter(forms.Form):
    kind = forms.ChoiceField(required=False, label="What")
    run = forms.IntegerField(required=False, min_value=1, label="Run")
    account = forms.ChoiceField(required=False, label="Account")
    day = forms.DateField(required=False, label="Day", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kinds = RiskEvent.objects.order_by("kind").values_list("kind", flat=True).distinct()
        self.fields["kind"].choices = [("", "all"), *((kind, kind.replace("_", " ").lower()) for kind in kinds)]  # type: ignore[attr-defined]
        accounts = Account.objects.values_list("pk", "name")
        self.fields["account"].choices = [("", "all"), *((str(pk), name) for pk, name in accounts)]  # type: ignore[attr-defined]

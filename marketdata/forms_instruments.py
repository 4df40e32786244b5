from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms

from marketdata.models import ContractSpec, FreezeLimit

_DATE = {"type": "date"}


class _Dated(forms.ModelForm):  # type: ignore[type-arg]
    start, end = "", ""

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or self.cleaned_data
        first, last = said.get(self.start), said.get(self.end)
        if first and last and last < first:
            self.add_error(self.end, "The last day is not before the first.")
        return said


class TermsForm(_Dated):
    """Terms that a person types from an exchange's notice; the start identifies the row."""

    start, end = "expiring_from", "expiring_to"

    class Meta:
        model = ContractSpec
        fields = (
            "underlying", "expiring_from", "expiring_to", "lot_units", "freeze_units", "tick", "source", "confirmed",
        )  # fmt: skip
        widgets = {"expiring_from": forms.DateInput(attrs=_DATE), "expiring_to": forms.DateInput(attrs=_DATE)}

    lot_units = forms.IntegerField(min_value=1, max_value=100_000)
    freeze_units = forms.IntegerField(min_value=2, max_value=10_000_000)
    tick = forms.DecimalField(min_value=Decimal("0.01"), max_digits=8, decimal_places=2)


class FreezeForm(_Dated):
    start, end = "effective_from", "effective_to"

    class Meta:
        model = FreezeLimit
        fields = ("underlying", "effective_from", "effective_to", "freeze_units", "source", "confirmed")
        widgets = {"effective_from": forms.DateInput(attrs=_DATE), "effective_to": forms.DateInput(attrs=_DATE)}

    freeze_units = forms.IntegerField(min_value=2, max_value=10_000_000)


class AcceptForm(forms.Form):
    onwards = forms.BooleanField(required=False, label="this and later expiries")


class OverrideForm(forms.Form):
    reason = forms.CharField(max_length=200)
    until = forms.DateField(required=False, widget=forms.DateInput(attrs=_DATE), help_text="last day; empty: until restored")

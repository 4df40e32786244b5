"""The kill switch and releases, as typed."""

from __future__ import annotations

from django import forms

from risk.domain.states import KillLevel


class KillForm(forms.Form):
    scope = forms.CharField(max_length=40)
    level = forms.ChoiceField(
        widget=forms.RadioSelect,
        choices=[
            (KillLevel.REDUCE, "Halt entries: no new entries; guards and exits go on"),
            (KillLevel.CANCEL, "Cancel orders: halt entries, then cancel every working entry order"),
            (KillLevel.FLATTEN, "Flatten: cancel orders, then close every owned position, shorts first"),
            (KillLevel.HALT, "Halt all: only cancels are sent, no exits, until the owner releases"),
        ],
    )
    reason = forms.CharField(max_length=300, required=False)
    idempotency_key = forms.CharField(max_length=64, required=False)


class ReleaseForm(forms.Form):
    scope = forms.CharField(max_length=40)
    reason = forms.CharField(max_length=300)

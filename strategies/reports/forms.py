"""What the reports are asked."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import Http404

from accounts.models import Account
from algomirror.kernel import clock
from strategies.analytics.page import default_wish
from strategies.domain.turnover import tax_year_of
from strategies.reports.days import newest_day


class DayForm(forms.Form):
    """One account, one trading day. Without an account the first by name; without a day the last that has begun.

    An account that is not there, or not the person's, is no fault of the form: Http404.
    """

    account = forms.ModelChoiceField(queryset=Account.objects.none(), required=False, empty_label=None)
    day = forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, asked: Any) -> None:
        accounts = Account.objects.order_by("name")
        usual = {"account": accounts.values_list("pk", flat=True).first(), "day": newest_day(clock.now()).isoformat()}
        super().__init__({**usual, **{name: value for name, value in asked.items() if value != "" and name in usual}})
        field = self.fields["account"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = accounts

    def clean_day(self) -> Any:
        day = self.cleaned_data["day"]
        if day is not None and day > clock.trading_day():
            raise forms.ValidationError("This day has not come yet.")
        return day

    def asked_account(self) -> Account | None:
        """None while there is no account at all."""
        self.is_valid()
        if "account" in self.errors:
            raise Http404
        found: Account | None = self.cleaned_data["account"]
        return found


class YearForm(forms.Form):
    """2026 is the tax year from 1 April 2026 to 31 March 2027. Without a year the present one, without an account all."""

    year = forms.IntegerField(required=False, min_value=2000, max_value=2099, label="Tax year that begins in")
    mode = forms.ChoiceField(required=False, label="Money", choices=[("LIVE", "Live accounts"), ("PAPER", "Paper accounts")])
    account = forms.ModelChoiceField(queryset=Account.objects.none(), required=False, empty_label="All accounts")

    def __init__(self, asked: Any) -> None:
        usual = {"year": tax_year_of(clock.trading_day()), "mode": default_wish().mode, "account": ""}
        super().__init__({**usual, **{name: value for name, value in asked.items() if value != "" and name in usual}})
        field = self.fields["account"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Account.objects.order_by("name")

    def is_answerable(self) -> bool:
        """False: a field is wrong, and says so. An account that is not there, or not the person's, is Http404."""
        is_good = self.is_valid()
        if "account" in self.errors:
            raise Http404
        return is_good

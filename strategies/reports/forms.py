"""What the reports are asked."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from django import forms
from django.http import Http404

from accounts.models import Account
from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from algomirror.ops import imports
from strategies.analytics.page import default_wish
from strategies.domain.contractnote import ITEMS, amount, totals
from strategies.domain.turnover import tax_year_of
from strategies.reports.days import newest_day

MOST_BYTES: Final = 16_384
MOST_LETTERS: Final = 30


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


class NoteForm(forms.Form):
    """The totals of a contract note: typed, or as a small file with the columns item and amount. Rupees."""

    brokerage = forms.CharField(required=False, max_length=MOST_LETTERS)
    stt = forms.CharField(required=False, max_length=MOST_LETTERS, label="STT")
    transaction = forms.CharField(required=False, max_length=MOST_LETTERS, label="Transaction charges")
    sebi = forms.CharField(required=False, max_length=MOST_LETTERS, label="SEBI fee")
    stamp = forms.CharField(required=False, max_length=MOST_LETTERS, label="Stamp duty")
    gst = forms.CharField(required=False, max_length=MOST_LETTERS, label="GST")
    net = forms.CharField(required=False, max_length=MOST_LETTERS, label="Net amount", help_text="minus when you pay")
    file = forms.FileField(required=False, label="Or a file", help_text="CSV or XLSX with the columns item, amount")

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        typed = {name: given[name] for name in ITEMS if given.get(name)}
        if self.errors:
            return given
        if typed and given.get("file"):
            self.add_error("file", "Type the totals or choose a file, not both.")
        elif given.get("file"):
            given["totals"] = self._of_file(given["file"])
        elif typed:
            given["totals"] = self._of_fields(typed)
        else:
            self.add_error(None, "Type at least one total, or choose a file.")
        return given

    def _of_fields(self, typed: dict[str, str]) -> dict[str, Decimal]:
        found: dict[str, Decimal] = {}
        for name, text in typed.items():
            value, wrong = amount(text, name)
            if value is None:
                self.add_error(name, f"Not understood: {wrong}.")
            else:
                found[name] = value
        return found

    def _of_file(self, file: Any) -> dict[str, Decimal]:
        raw = file.read(MOST_BYTES + 1)
        if len(raw) > MOST_BYTES:
            self.add_error("file", f"Larger than {MOST_BYTES // 1024} KB: a contract note's totals are seven lines.")
            return {}
        try:
            found, faults = totals(imports.read(file.name or "", raw, ("item", "amount")))
        except Refused as refused:
            found, faults = {}, [*refused.fields.values()]
        for fault in faults[:10]:
            self.add_error("file", fault)
        return found

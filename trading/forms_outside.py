"""What a person decides on the reconcile page. Every decision names what they saw, so that nothing is decided blindly."""

from __future__ import annotations

from django import forms
from django.core.validators import RegexValidator

from trading.forms import AccountFilter, Click
from trading.pages.reconciliation import Wish
from trading.services.outside import Place, Seen

NAMED = RegexValidator(r"^[1-9][0-9]{0,17}:[A-Z_]{2,12}:[^:\s]{1,50}:[A-Z]{2,4}$", "Not an instrument of an account.")
REASON_AT_LEAST = 5


def place_of(name: str) -> Place:
    """Of a name that passed NAMED."""
    account, exchange, symbol, product = name.split(":")
    return Place(int(account), exchange, symbol, product)


class ReconciliationFilter(AccountFilter):
    differences = forms.BooleanField(required=False, label="Only what does not agree")

    def wish(self) -> Wish:
        self.is_valid()
        asked = self.cleaned_data
        return Wish(account=asked.get("account"), differences=bool(asked.get("differences")))


class Decision(Click):
    """One of the three things to decide about an outside position or a difference."""

    place = forms.CharField(validators=[NAMED], widget=forms.HiddenInput)
    ours = forms.IntegerField(widget=forms.HiddenInput)
    broker = forms.IntegerField(widget=forms.HiddenInput)

    def what(self) -> Place:
        return place_of(str(self.cleaned_data["place"]))

    def seen(self) -> Seen:
        return Seen(ours=self.cleaned_data["ours"], broker=self.cleaned_data["broker"])


class Adopt(Decision):
    # The service says which books may: the page only offers them.
    book = forms.IntegerField(min_value=1, required=False, label="Into the book", widget=forms.Select)
    price = forms.DecimalField(min_value=0, max_digits=12, decimal_places=2, required=False, label="Price per unit")

    def offer(self, books: list[tuple[str, str]]) -> Adopt:
        self.fields["book"].widget.choices = books
        return self


class CloseOutside(Decision):
    book = forms.IntegerField(min_value=1, label="Out of", widget=forms.Select)
    price = forms.DecimalField(min_value=0, max_digits=12, decimal_places=2, label="Price per unit")

    def offer(self, books: list[tuple[int, str]]) -> CloseOutside:
        self.fields["book"].widget.choices = books
        return self


class Leave(Decision):
    why = forms.CharField(required=False, max_length=200, label="Note")


class Reasoned(forms.Form):
    """A decision that wants its reason typed: it is journaled with it."""

    why = forms.CharField(min_length=REASON_AT_LEAST, max_length=200, label="Reason")


class Thaw(Reasoned):
    book = forms.IntegerField(min_value=1, widget=forms.HiddenInput)


class Doubtful(Reasoned):
    """`broker_order_id` empty: the broker never had it."""

    order = forms.IntegerField(min_value=1, widget=forms.HiddenInput)
    broker_order_id = forms.CharField(required=False, max_length=64, label="It is")

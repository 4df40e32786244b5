from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.http import QueryDict

from marketdata import selectors
from marketdata.columns import COLUMNS

WIDTHS = (5, 10, 15, 20, 30, 50)
DEFAULT_WIDTH = 20


class ChainForm(forms.Form):
    """What the chain page shows. Every field has a default, so that /chain alone is a page."""

    underlying = forms.ChoiceField(required=False)
    expiry = forms.ChoiceField(required=False)
    width = forms.TypedChoiceField(coerce=int, choices=[(w, str(w)) for w in WIDTHS], required=False)

    def __init__(self, asked: Any) -> None:
        super().__init__(asked)
        self.enabled = {row.symbol: row for row in selectors.underlyings()}
        first = next(iter(self.enabled), "")
        self.symbol = asked.get("underlying") or first
        self.expiries = selectors.expiries(self.symbol) if self.symbol in self.enabled else []
        self._field("underlying").choices = [(symbol, symbol) for symbol in self.enabled]
        self._field("expiry").choices = [(day.isoformat(), day.isoformat()) for day in self.expiries]

    def _field(self, name: str) -> forms.ChoiceField:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        return field

    def clean_underlying(self) -> str:
        return self.cleaned_data["underlying"] or self.symbol

    def clean_expiry(self) -> date | None:
        """The chosen date, else the nearest; None when nothing is listed."""
        chosen = self.cleaned_data["expiry"]
        if chosen:
            return date.fromisoformat(chosen)
        return self.expiries[0] if self.expiries else None

    def clean_width(self) -> int:
        return self.cleaned_data["width"] or DEFAULT_WIDTH


class ColumnsForm(forms.Form):
    """The columns of a person's chain, and the query of the page to return to."""

    columns = forms.MultipleChoiceField(choices=list(COLUMNS.items()), required=False)
    query = forms.CharField(required=False, max_length=200)

    def clean_query(self) -> str:
        """Only what the chain page itself takes, so that nothing else can be put into the address."""
        asked = QueryDict(self.cleaned_data["query"], mutable=True)
        for name in set(asked) - {"underlying", "expiry", "width"}:
            del asked[name]
        return asked.urlencode()

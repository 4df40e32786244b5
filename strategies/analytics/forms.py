"""What the analytics page is asked. What is wrong is named at its field, and the default period is shown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms

from accounts.models import Account
from strategies.analytics.page import default_wish
from strategies.analytics.reading import Wish
from strategies.domain.returns import Span
from strategies.models import Strategy

LONGEST = timedelta(days=731)
SPANS = [("day", "by day"), ("week", "by week"), ("month", "by month")]


class AnalyticsFilter(forms.Form):
    first = forms.DateField(required=False, label="From", widget=forms.DateInput(attrs={"type": "date"}))
    last = forms.DateField(required=False, label="To", widget=forms.DateInput(attrs={"type": "date"}))
    mode = forms.ChoiceField(required=False, label="Money", choices=[("LIVE", "Live accounts"), ("PAPER", "Paper accounts")])
    account = forms.TypedChoiceField(required=False, coerce=int, empty_value=None)
    strategy = forms.TypedChoiceField(required=False, coerce=int, empty_value=None)
    span = forms.ChoiceField(required=False, label="Sum", choices=SPANS)

    def __init__(self, asked: Any) -> None:
        usual = default_wish()
        given = {"first": usual.first.isoformat(), "last": usual.last.isoformat(), "mode": usual.mode, "span": "day"}
        super().__init__({**given, **{name: value for name, value in asked.items() if value != ""}})
        self._usual = usual
        self._offer("account", [("", "All accounts"), *Account.objects.values_list("pk", "name")])
        strategies = Strategy.objects.order_by("name").values_list("pk", "name")
        self._offer("strategy", [("", "All strategies"), (0, "Tickets and baskets"), *strategies])

    def _offer(self, name: str, choices: list[tuple[Any, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.TypedChoiceField)
        field.choices = choices

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        first, last = given.get("first"), given.get("last")
        if first and last and first > last:
            self.add_error("last", "It lies before the first day.")
        elif first and last and last - first > LONGEST:
            self.add_error("first", "At most two years at once.")
        return given

    def wish(self) -> Wish:
        """What was asked; while a field is wrong, the usual period with the same accounts."""
        is_good = self.is_valid()
        given = self.cleaned_data
        return Wish(
            first=given["first"] if is_good else self._usual.first,
            last=given["last"] if is_good else self._usual.last,
            mode=given.get("mode") or self._usual.mode,
            account=given.get("account"),
            strategy=given.get("strategy"),
        )

    def summed_by(self) -> Span:
        self.is_valid()
        asked: Span = self.cleaned_data.get("span") or "day"
        return asked

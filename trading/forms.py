"""What the trading pages are asked: filters that only narrow, and clicks that carry their key."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.validators import RegexValidator

from accounts.models import Account
from trading.models import Run
from trading.pages import orders, positions, trades

RUNS_OFFERED = 60
KEY_LENGTH = 64


class Filter(forms.Form):
    """Account and run, as every trading page offers them. Fields that are wrong are named and narrow nothing."""

    account = forms.TypedChoiceField(required=False, coerce=int, empty_value=None)
    run = forms.TypedChoiceField(required=False, coerce=int, empty_value=None)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        accounts = Account.objects.filter(archived_at=None).values_list("pk", "name")
        runs = Run.objects.order_by("-id").values_list("pk", "name")[:RUNS_OFFERED]
        self._offer("account", [("", "All accounts"), *accounts])
        self._offer("run", [("", "All runs"), *((pk, f"{pk} {name}") for pk, name in runs)])

    def _offer(self, name: str, choices: list[tuple[Any, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.TypedChoiceField)
        field.choices = choices

    def asked(self) -> dict[str, Any]:
        self.is_valid()
        return self.cleaned_data


class PositionsFilter(Filter):
    def wish(self) -> positions.Wish:
        asked = self.asked()
        return positions.Wish(account=asked.get("account"), run=asked.get("run"))


class TradesFilter(Filter):
    day = forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def wish(self) -> trades.Wish:
        asked = self.asked()
        return trades.Wish(account=asked.get("account"), run=asked.get("run"), day=asked.get("day"))


class OrdersFilter(TradesFilter):
    state = forms.ChoiceField(
        required=False,
        choices=[
            ("", "All states"),
            ("open", "Open"),
            ("filled", "Filled"),
            ("cancelled", "Cancelled"),
            ("refused", "Rejected or denied"),
            ("doubtful", "Unknown or lapsed"),
        ],
    )

    def orders_wish(self) -> orders.Wish:
        asked = self.asked()
        return orders.Wish(
            account=asked.get("account"), run=asked.get("run"), day=asked.get("day"), group=asked.get("state") or ""
        )


class Click(forms.Form):
    """A button that can reach a broker; the key makes the second click show what the first one did."""

    idempotency_key = forms.CharField(max_length=KEY_LENGTH)


class CancelClick(Click):
    order = forms.IntegerField(min_value=1)


class CloseClick(Click):
    """`target` is "position:<id>" or "book:<id>"."""

    target = forms.CharField(validators=[RegexValidator(r"^(position|book):[1-9][0-9]{0,17}$", "Not a position or a book.")])

    def what(self) -> tuple[str, int]:
        kind, _, number = str(self.cleaned_data["target"]).partition(":")
        return kind, int(number)

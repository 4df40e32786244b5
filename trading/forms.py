"""What the trading pages are asked: filters that only narrow, and clicks that carry their key."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.validators import RegexValidator

from accounts.models import Account
from trading.domain.changes import PRICED, TRIGGERED
from trading.domain.orders import Purpose
from trading.models import Order, Run
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


class AccountFilter(forms.Form):
    account = forms.TypedChoiceField(required=False, coerce=int, empty_value=None)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["account"]
        assert isinstance(field, forms.TypedChoiceField)
        accounts = Account.objects.filter(archived_at=None).values_list("pk", "name")
        field.choices = [("", "All accounts"), *accounts]

    def account_id(self) -> int | None:
        self.is_valid()
        found: int | None = self.cleaned_data.get("account")
        return found


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


class MarketClick(CancelClick):
    everywhere = forms.BooleanField(required=False, label="Also in the other accounts of this ticket or run")


class ModifyForm(MarketClick):
    """Other terms for an order that works at the broker; fields that its price type lacks are not there."""

    price = forms.DecimalField(required=False, max_digits=10, decimal_places=2, label="Limit price")
    trigger_price = forms.DecimalField(required=False, max_digits=10, decimal_places=2, label="Trigger price")
    units = forms.IntegerField(required=False, min_value=1, max_value=10_000_000, label="Quantity in units")
    field_order = ("price", "trigger_price", "units", "everywhere")

    def terms(self, order: Order) -> dict[str, Any]:
        """Only what was typed and is not what the order has; the rest stays, here and in the other accounts."""
        typed = {name: self.cleaned_data.get(name) for name in ("price", "trigger_price", "units")}
        return {name: value for name, value in typed.items() if value is not None and value != getattr(order, name)}

    def of(self, order: Order) -> ModifyForm:
        """The fields that this order has, shown in the order's own steps."""
        for name, kinds in (("price", PRICED), ("trigger_price", TRIGGERED)):
            if order.price_type not in kinds:
                del self.fields[name]
            else:
                self.fields[name].widget.attrs["step"] = str(order.tick)
        self.fields[
            "units"
        ].help_text = f"The whole order, of which {order.filled_units} are filled; in lots of {order.lot_units}."
        if order.hedge_legs or order.purpose == Purpose.HEDGE:
            del self.fields["units"]
        return self


class CancelAllClick(Click):
    """`account` empty: every account."""

    account = forms.TypedChoiceField(required=False, coerce=int, empty_value=None, label="Account")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["account"]
        assert isinstance(field, forms.TypedChoiceField)
        field.choices = [("", "All accounts"), *Account.objects.filter(archived_at=None).values_list("pk", "name")]

    def account_ids(self) -> list[int]:
        chosen = self.cleaned_data.get("account")
        return [chosen] if chosen else list(Account.objects.filter(archived_at=None).values_list("pk", flat=True))


class CloseClick(Click):
    """`target` is "position:<id>", "book:<id>", "account:<id>", "leg:<run>:<leg>" or "everything"."""

    target = forms.CharField(
        validators=[RegexValidator(rf"^({positions.TARGET})$", "Not a position, leg, book, account or everything.")]
    )
    units = forms.IntegerField(required=False, min_value=1, max_value=10_000_000, label="Units")

    def what(self) -> tuple[str, list[int]]:
        kind, *numbers = str(self.cleaned_data["target"]).split(":")
        return kind, [int(number) for number in numbers]

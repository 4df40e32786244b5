"""Values of every kind stand in the database as the ORM writes them, and are found by it and as it finds them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from algomirror.kernel import clock
from algomirror.ops.prepared import Prepared, PreparedUpdate
from tests.ops.test_a_prepared_statement_is_the_orm import AT, some_orders
from trading.domain.orders import OrderState
from trading.models import Order

pytestmark = pytest.mark.django_db


@pytest.fixture
def orders() -> list[Order]:
    return some_orders(2)


JSON = [
    {"big": 2**70, "float": 0.1, "é": [1, None, True, "\u2028"]},
    [OrderState.FILLED, {"state": OrderState.CANCELED}],
    "a text",
    7,
    [],
    None,
]


@pytest.mark.parametrize("value", JSON, ids=str)
def test_json_of_any_kind_is_what_the_orm_makes_of_it(orders: list[Order], value: Any) -> None:
    one, other = orders
    PreparedUpdate(lambda pk: Order.objects.filter(pk=pk), ["permit"])(one.pk, value)
    Order.objects.filter(pk=other.pk).update(permit=value)
    mine, theirs = (Order.objects.values_list("permit", flat=True).get(pk=pk) for pk in (one.pk, other.pk))
    assert mine == theirs == value
    assert Order.objects.filter(pk=one.pk, permit=None).exists() == Order.objects.filter(pk=other.pk, permit=None).exists()


OF_INDIA = datetime(2026, 11, 20, 15, 0, tzinfo=clock.IST)
VALUES = {
    "state": [OrderState.DENIED, "INITIALIZED"],
    "price": [Decimal("1E+2"), Decimal("100.00"), Decimal("0.05"), 7, None],
    "sent_at": [AT, OF_INDIA, AT.replace(microsecond=1), None],
    "trading_day": [date(2026, 3, 9), None],
}


@pytest.mark.parametrize("name", VALUES)
def test_values_of_every_kind_are_written_and_found_as_by_the_orm(orders: list[Order], name: str) -> None:
    mine, theirs = orders
    change = PreparedUpdate(lambda pk: Order.objects.filter(pk=pk), [name])
    found = Prepared(lambda value: Order.objects.filter(**{name: value}).order_by("pk").values_list("pk", name))
    for value in VALUES[name] * 2:
        if value is None and not Order._meta.get_field(name).null:
            continue
        change(mine.pk, value)
        Order.objects.filter(pk=theirs.pk).update(**{name: value})
        wanted = list(Order.objects.filter(**{name: value}).order_by("pk").values_list("pk", name))
        assert {pk for pk, _ in wanted} >= {mine.pk, theirs.pk}
        assert len({repr(said) for pk, said in wanted if pk in (mine.pk, theirs.pk)}) == 1
        if isinstance(value, (str, datetime, date)):
            assert repr(found(value)) == repr(wanted)

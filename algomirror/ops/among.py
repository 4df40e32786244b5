"""Rows of any number of accounts, books or orders by one statement that is compiled once."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Generic, TypeVar

from django.db.models import BooleanField, Func, Q, QuerySet

from algomirror.ops.prepared import Prepared, slots_of

T = TypeVar("T")


class _In(Func):
    """A column of numbers is one of those in a text, "3,14,15": one parameter for any number of them."""

    output_field = BooleanField()
    template, arg_joiner = "%(expressions)s, ',')::bigint[])", " = ANY(string_to_array("

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        joiner = " IN (SELECT value FROM json_each('[' || "
        return self.as_sql(compiler, connection, template="%(expressions)s || ']'))", arg_joiner=joiner, **extra)


class Among(Generic[T]):
    """A SELECT of rows whose column `name` is one of these numbers: `Among("pk", lambda mine: Account.objects.filter(mine))`.

    `build` takes that condition, and the slots of values that follow the numbers. What is asked of a single one is compared
    with it, which is quicker.
    """

    def __init__(self, name: str, build: Callable[..., QuerySet[Any, T]]) -> None:
        slots = slots_of(build)
        self._of_one = Prepared(lambda one, *more: build(Q(**{name: one}), *more), slots=slots)
        self._of_many = Prepared(lambda text, *more: build(Q(_In(name, text)), *more), slots=slots)

    def __call__(self, numbers: Collection[int], *values: Any) -> list[T]:
        if len(numbers) == 1:
            return self._of_one(*numbers, *values)
        return self._of_many(",".join(map(str, numbers)), *values)

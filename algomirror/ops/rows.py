"""Rows of a compiled query read as Django reads them, with a fraction of its calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC
from functools import lru_cache
from typing import Any, cast

from django.db.models import BooleanField, DecimalField, Model, QuerySet
from django.db.models.base import ModelState
from django.db.models.expressions import Col
from django.db.models.query import ModelIterable, ValuesListIterable, get_related_populators
from django.db.models.signals import post_init, pre_init

Convert = Callable[[Iterable[Sequence[Any]]], list[Any]]


def reading(queryset: QuerySet[Any, Any], compiler: Any, using: str) -> Convert:
    connection = compiler.connection
    converters = [
        (place, convert)
        for place, (converts, expression) in compiler.get_converters([e for e, *_ in compiler.select]).items()
        if (convert := _together([c for c in (_quicker(c, expression, connection) for c in converts) if c is not None]))
    ]

    def converted(rows: Iterable[Sequence[Any]]) -> Iterable[Sequence[Any]]:
        if not converters:
            return rows
        found = list(map(list, rows))
        for row in found:
            for place, convert in converters:
                if row[place] is not None:
                    row[place] = convert(row[place])
        return found

    shape: Any = queryset._iterable_class
    if issubclass(shape, ModelIterable):
        start, end = compiler.klass_info["select_fields"][0], compiler.klass_info["select_fields"][-1] + 1
        model = compiler.klass_info["model"]
        names = [expression.target.attname for expression, *_ in compiler.select[start:end]]
        related = _made_quickly(cast(Any, get_related_populators)(compiler.klass_info, compiler.select, using))
        from_db = _from_db(model)

        def instances(rows: Iterable[Sequence[Any]]) -> list[Model]:
            out = []
            for row in converted(rows):
                found = from_db(using, names, row[start:end])
                for populator in related:
                    populator.populate(row, found)
                out.append(found)
            return out

        return instances
    if issubclass(shape, ValuesListIterable):
        return lambda rows: list(map(tuple, converted(rows)))
    # values_list(flat=True)
    return lambda rows: [row[0] for row in converted(rows)]


class _Maker:
    """In the place of a model where Django asks one for an object of a row."""

    def __init__(self, model: type[Model]) -> None:
        self.from_db = _from_db(model)


def _made_quickly(populators: Iterable[Any]) -> list[Any]:
    """Django's makers of what `select_related` points to, and of what that points to."""
    found = list(populators)
    for populator in found:
        populator.model_cls = _Maker(populator.model_cls)
        populator.related_populators = _made_quickly(populator.related_populators)
    return found


def _from_db(model: type[Model]) -> Callable[[str, Sequence[str], Sequence[Any]], Model]:
    """The model's own, or, where it makes its objects as all models do and nobody listens, the same in a tenth of the calls:
    what was not read is missing, and Django reads it when it is asked for."""
    is_usual = model.__init__ is Model.__init__ and cast(Any, model.from_db).__func__ is cast(Any, Model.from_db).__func__
    if not is_usual or pre_init.has_listeners(model) or post_init.has_listeners(model):
        return model.from_db

    def from_db(using: str, names: Sequence[str], row: Sequence[Any]) -> Model:
        made = model.__new__(model)
        made._state = state = ModelState()
        state.adding, state.db = False, using
        made.__dict__.update(zip(names, row, strict=True))
        return made

    return from_db


def _together(converts: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Any] | None:
    """One after another, of a value that there is."""
    if len(converts) < 2:
        return converts[0] if converts else None

    def convert(value: Any) -> Any:
        for one in converts:
            value = one(value)
            if value is None:
                break
        return value

    return convert


def _quicker(convert: Any, expression: Any, connection: Any) -> Callable[[Any], Any] | None:
    """What SQLite's driver has read of a column, as Django reads it, with fewer calls; None where that is the same.

    It has read the moments and days of a column; of what is computed it says the text. Of decimals it says a number, which
    takes Django two roundings, and of prices, steps and sums the same few come again and again.
    """

    def usual(value: Any) -> Any:
        return convert(value, expression, connection)

    if connection.vendor != "sqlite":
        return usual
    if isinstance(getattr(expression, "output_field", None), (DecimalField, BooleanField)):
        return lru_cache(4_096)(usual)
    ops = connection.ops
    reads = (getattr(ops, "convert_datetimefield_value", None), getattr(ops, "convert_datefield_value", None))
    return None if isinstance(expression, Col) and convert in reads and connection.timezone is UTC else usual

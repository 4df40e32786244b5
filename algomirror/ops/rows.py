"""Rows of a compiled query read as Django reads them, with a fraction of its calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, cast

from django.db.models import DecimalField, Model, QuerySet
from django.db.models.base import ModelState
from django.db.models.query import ModelIterable, ValuesListIterable, get_related_populators
from django.db.models.signals import post_init, pre_init

Convert = Callable[[Iterable[Sequence[Any]]], list[Any]]


def reading(queryset: QuerySet[Any, Any], compiler: Any, using: str) -> Convert:
    connection = compiler.connection
    converters = [
        (place, [_quicker(convert, expression, connection) for convert in converts], expression)
        for place, (converts, expression) in compiler.get_converters([e for e, *_ in compiler.select]).items()
    ]

    def converted(rows: Iterable[Sequence[Any]]) -> Iterable[Sequence[Any]]:
        return map(read, rows) if converters else rows

    def read(row: Sequence[Any]) -> Sequence[Any]:
        found = list(row)
        for place, converts, expression in converters:
            value = found[place]
            if value is not None:
                for convert in converts:
                    value = convert(value, expression, connection)
                found[place] = value
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
        return lambda rows: [tuple(row) for row in converted(rows)]
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


def _quicker(convert: Any, expression: Any, connection: Any) -> Any:
    """What SQLite's driver has read of a column, as Django reads it, with fewer calls.

    It keeps moments in UTC, and has read those of a column; of what is computed it says the text. Of decimals it says a
    number, which takes Django two roundings, and of prices, steps and sums the same few come again and again.
    """
    if connection.vendor == "sqlite" and isinstance(getattr(expression, "output_field", None), DecimalField):
        known = lru_cache(4_096)(lambda value: convert(value, expression, connection))
        return lambda value, expression, connection: known(value)
    if convert != getattr(connection.ops, "convert_datetimefield_value", None) or connection.timezone is not UTC:
        return convert

    def in_utc(value: Any, expression: Any, connection: Any) -> Any:
        return value.replace(tzinfo=UTC) if type(value) is datetime else convert(value, expression, connection)

    return in_utc

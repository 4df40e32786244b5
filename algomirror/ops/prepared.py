"""Statements of the hot path, written with the ORM and compiled to SQL once in a process.

Building and compiling a query costs Django several times what the database takes to answer it. What differs from call to
call are only the values: the query is built once with a slot for each of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache, lru_cache
from operator import attrgetter, methodcaller
from typing import Any, Generic, TypeVar, cast

import orjson
from django.db import DEFAULT_DB_ALIAS
from django.db.models import Expression, JSONField, Model, QuerySet
from django.db.models.constants import OnConflict
from django.db.models.sql import InsertQuery, UpdateQuery

from algomirror.ops import here, sight
from algomirror.ops.rows import reading
from algomirror.ops.sqlite import driver

T = TypeVar("T")


# Values of exactly these types say to the driver what they say to Django.
_AS_IT_IS: dict[str, type] = {
    **dict.fromkeys(("CharField", "TextField"), str),
    **dict.fromkeys(("IntegerField", "BigIntegerField", "SmallIntegerField", "PositiveIntegerField", "ForeignKey"), int),
    **dict.fromkeys(("PositiveSmallIntegerField", "PositiveBigIntegerField", "BigAutoField", "OneToOneField"), int),
    "BooleanField": bool,
}
_KNOWN = 512


class Slot(Expression):
    """Stands where a value will: one that rows are chosen by, or, with its `column`, one that a column is set to.

    `as_they_are`: the types whose values go to the driver unchanged.
    """

    def __init__(self, number: int, column: Any = None) -> None:
        super().__init__()
        self.number, self.column = number, column
        kind = None if column is None else column.get_internal_type()
        self.as_they_are = (int, str) if column is None else (_AS_IT_IS.get(str(kind)), type(None))
        self.is_moment, self.is_text = kind == "DateTimeField", str in self.as_they_are
        self._is_json = type(column) is JSONField and column.encoder is None
        # Prices, steps and days: the same few come again and again.
        self.known = lru_cache(_KNOWN)(self.to_column)

    def to_column(self, value: Any) -> Any:
        connection = here.connection()
        if self._is_json and connection.vendor == "sqlite":
            # What it cannot write Django decides. NaN is null here, where Django's text of it is none that SQLite takes.
            try:
                return orjson.dumps(value).decode()
            except TypeError:
                pass
        return _text(self.column.get_db_prep_save(value, connection))

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return "%s", [self]


class _Compiled:
    """A statement for one kind of database: its text, the constants in it, where values go, and how its rows are read."""

    def __init__(self, sql: str, parameters: Sequence[Any], reading: Any) -> None:
        self.sql, self.reading = sql, reading
        self.slots = [p for p in parameters if isinstance(p, Slot)]
        self._constants = [None if isinstance(p, Slot) else p for p in parameters]
        # Of an INSERT, by the names that a row says: where each goes.
        self.layouts: dict[tuple[str, ...], list[tuple[int, Slot]]] = {}
        self._places = [(n, p.number, p.as_they_are, p) for n, p in enumerate(parameters) if isinstance(p, Slot)]

    def bound(self, values: Sequence[Any], connection: Any) -> list[Any]:
        bound = self._constants.copy()
        for place, number, as_they_are, slot in self._places:
            value = values[number]
            bound[place] = value if type(value) in as_they_are else _plain(slot, value, connection)
        return bound


_written: list[_Statement] = []


class _Statement:
    def __init__(self) -> None:
        self._compiled: dict[str, _Compiled] = {}
        _written.append(self)

    def _compile(self, using: str) -> tuple[str, tuple[Any, ...], Any]:
        """The text, with what each of its parameters is, a constant or a slot; and the way to read rows."""
        raise NotImplementedError

    def _run(self, values: Sequence[Any], take: Callable[[Any], T]) -> tuple[T, Any]:
        """What `take` finds at the cursor, and what `_compile` gave as the way to read it."""
        connection = here.connection()
        ready = self._for(connection.vendor)
        return driver.run(connection, ready.sql, ready.bound(values, connection), take), ready.reading

    def _for(self, vendor: str) -> _Compiled:
        if sight.is_limited():
            # Managers leave out what this person may not see: nobody else's statement, and no one else's for them.
            return self._constants_plain(vendor)
        if vendor not in self._compiled:
            self._compiled[vendor] = self._constants_plain(vendor)
        return self._compiled[vendor]

    def _constants_plain(self, vendor: str) -> _Compiled:
        sql, parameters, reading = self._compile(DEFAULT_DB_ALIAS)
        parameters = tuple(_text(p) for p in parameters)
        if vendor == "sqlite":
            sql, parameters = driver.with_texts_inside(sql, parameters)
        return _Compiled(sql, parameters, reading)


def compile_all() -> None:
    """All that is written by now, so that nobody's first account waits for it."""
    for statement in _written:
        statement._for(here.connection().vendor)


def _text(value: Any) -> Any:
    """Members of an enumeration as the text they are: a driver looks longer at what is not exactly text."""
    return str.__str__(value) if isinstance(value, str) else value


def _plain(slot: Slot, value: Any, connection: Any) -> Any:
    """Of a value that is not what the driver takes as it is."""
    kind = type(value)
    if kind is datetime and (slot.is_moment or slot.column is None):
        return _moment(value) if value.tzinfo is UTC and _is_in_utc(connection) else _other_moment(slot, value, connection)
    if isinstance(value, str) and slot.is_text:
        return _text(value)
    if slot.column is not None:
        return slot.known(value) if kind is Decimal or kind is date else slot.to_column(value)
    if isinstance(value, date):
        return connection.ops.adapt_datefield_value(value)
    if value is None:
        raise TypeError("a prepared statement takes no None: IS NULL is another statement")
    return value


def _is_in_utc(connection: Any) -> bool:
    return connection.vendor == "sqlite" and connection.timezone is UTC


@lru_cache(_KNOWN)
def _moment(value: datetime) -> str:
    """Of UTC, as Django writes it to SQLite."""
    return str(value.replace(tzinfo=None))


def _other_moment(slot: Slot, value: datetime, connection: Any) -> Any:
    return connection.ops.adapt_datetimefield_value(value) if slot.column is None else slot.to_column(value)


_all = methodcaller("fetchall")
_count = attrgetter("rowcount")


def _first(cursor: Any) -> int:
    rows = cursor.fetchall()
    return rows[0][0] if rows else 0


def _key(cursor: Any) -> int:
    ((key,),) = cursor.fetchall()
    return int(key)


def slots_of(build: Callable[..., Any]) -> int:
    return len(inspect.signature(build).parameters)


class Prepared(_Statement, Generic[T]):
    """A SELECT: `Prepared(lambda account: Order.objects.filter(account_id=account))`, then called with the values.

    Gives a list of what the queryset would give: rows of the model, with `select_related`, or of `values_list`.
    `slots`: how many values it takes, where `build` takes any number of them.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, T]], *, slots: int | None = None) -> None:
        super().__init__()
        self._build, self._slots = build, slots_of(build) if slots is None else slots

    def __call__(self, *values: Any) -> list[T]:
        rows, read = self._run(values, _all)
        found: list[T] = read(rows)
        return found

    def first(self, *values: Any) -> T | None:
        """The first of them, in the order of the queryset."""
        found = self(*values)
        return found[0] if found else None

    def one(self, *values: Any) -> T:
        """The one there is. Raises the model's DoesNotExist when there is none."""
        found = self(*values)
        if not found:
            raise self._build(*values).model.DoesNotExist(f"nothing for {values}")
        return found[0]

    def _compile(self, using: str) -> tuple[str, tuple[Any, ...], Any]:
        queryset = self._build(*(Slot(n) for n in range(self._slots)))
        compiler = queryset.query.get_compiler(using)
        sql, parameters = compiler.as_sql()
        return sql, tuple(parameters), reading(queryset, compiler, using)


class PreparedUpdate(_Statement):
    """An UPDATE: the rows are chosen by the slots of `build`, the columns `names` get the values that follow them.

    `also`: columns that are set by an expression or a constant. Gives how many rows matched; where it `gives` a column, of
    positive numbers, the one row's number as it is now, and 0 where none matched.
    """

    def __init__(
        self, build: Callable[..., QuerySet[Any, Any]], names: Sequence[str] = (), *, gives: str = "", **also: Any
    ) -> None:
        super().__init__()
        self._build, self._names, self._also, self._gives = build, tuple(names), also, gives
        self._chosen_by = slots_of(build)

    def __call__(self, *values: Any) -> int:
        return int(self._run(values, _first if self._gives else _count)[0])

    def each(self, rows: Sequence[Sequence[Any]]) -> int:
        """Once with each of these values; how many rows matched, all together. Not of one that gives a column."""
        if not rows:
            return 0
        connection = here.connection()
        ready = self._for(connection.vendor)
        return int(driver.run(connection, ready.sql, [ready.bound(values, connection) for values in rows], _count, many=True))

    def _compile(self, using: str) -> tuple[str, tuple[Any, ...], Any]:
        queryset = self._build(*(Slot(n) for n in range(self._chosen_by)))
        query = cast(Any, queryset.query).chain(UpdateQuery)
        field = queryset.model._meta.get_field
        new = {name: Slot(self._chosen_by + n, field(name)) for n, name in enumerate(self._names)}
        query.add_update_values(new | self._also)
        query.annotations = {}
        compiler = query.get_compiler(using)
        sql, parameters = compiler.as_sql()
        if self._gives:
            sql += f" RETURNING {compiler.quote_name_unless_alias(field(self._gives).column)}"
        return sql, tuple(parameters), None


class _Insert(_Statement):
    def __init__(self, model: type[Model], on_conflict: OnConflict | None, *, gives_key: bool) -> None:
        super().__init__()
        self._model, self._on_conflict, self._gives_key = model, on_conflict, gives_key
        self._fields = [field for field in model._meta.local_concrete_fields if not field.primary_key]
        self._place = {field.attname: n for n, field in enumerate(self._fields)}
        # By kind of database, what a row says that names no column.
        self._blank: dict[str, list[Any]] = {}

    def __call__(self, row: Model) -> Any:
        """The key that the database gave; how many rows were written, where it gives none."""
        return self._run(self._values(row), _key if self._gives_key else _count)[0]

    def named(self, rows: Sequence[Mapping[str, Any]]) -> None:
        connection = here.connection()
        ready = self._for(connection.vendor)
        if connection.vendor not in self._blank:
            self._blank[connection.vendor] = ready.bound(list(map(_default, self._fields)), connection)
        blank = self._blank[connection.vendor]
        # Many rows share the one object that one of their columns says.
        known: dict[tuple[int, int], Any] = {}
        bound = []
        for row in rows:
            names = tuple(row)
            if names not in ready.layouts:
                ready.layouts[names] = [(n := self._place[name], ready.slots[n]) for name in names]
            parameters = blank.copy()
            for (n, slot), value in zip(ready.layouts[names], row.values(), strict=True):
                if type(value) not in slot.as_they_are:
                    key = (n, id(value))
                    if key not in known:
                        known[key] = _plain(slot, value, connection)
                    value = known[key]
                parameters[n] = value
            bound.append(parameters)
        driver.run(connection, ready.sql, bound, _count, many=True)

    def _values(self, row: Model) -> list[Any]:
        return [field.pre_save(row, True) for field in self._fields]

    def _compile(self, using: str) -> tuple[str, tuple[Any, ...], Any]:
        query = InsertQuery(self._model, on_conflict=self._on_conflict)
        pattern = self._model(**{field.attname: Slot(n, field) for n, field in enumerate(self._fields)})
        query.insert_values(self._fields, [pattern])
        compiler: Any = query.get_compiler(using)
        if self._gives_key:
            compiler.returning_fields = [self._model._meta.pk]
        ((sql, parameters),) = compiler.as_sql()
        return sql, tuple(parameters), None


def _default(field: Any) -> Any:
    """Of a column that nobody names. Raises TypeError where it is another each time."""
    is_other_each_time = field.has_default() and callable(field.default) and field.default not in (list, dict)
    if is_other_each_time or getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
        raise TypeError(f"{field} has no default that stays the same")
    return field.get_default()


_insert_into = cache(_Insert)


def will_insert(*models: type[Model], unless_there: bool = False) -> None:
    """Rows of these are going to be inserted by name: their statements are compiled with all others."""
    for model in models:
        _insert_into(model, OnConflict.IGNORE if unless_there else None, gives_key=False)


def insert(row: Model) -> None:
    """`row.save(force_insert=True)` of a model that has no signals and no save of its own; the database gives the key."""
    row.pk = _insert_into(type(row), None, gives_key=True)(row)
    row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


def insert_named(model: type[Model], rows: Sequence[Mapping[str, Any]], *, unless_there: bool = False) -> None:
    """Rows of one such model, in their order, from values by the names of their columns (`book_id`), without an object for
    each; what a row does not name has the default of its field, and nobody learns a key. Raises KeyError for a column that
    there is not. `unless_there`: those whose unique values are new."""
    if rows:
        _insert_into(model, OnConflict.IGNORE if unless_there else None, gives_key=False).named(rows)

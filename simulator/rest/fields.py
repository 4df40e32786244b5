"""Request validation with the server's own error texts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

Errors = dict[Any, Any]
Check = Callable[[Any], Any]
MISSING = "Missing data for required field."
NULL = "Field may not be null."
UNKNOWN = "Unknown field."
SPECIAL = "Special numeric values (nan or infinity) are not permitted."


class Bad(Exception):
    """One field is wrong: a text, or the nested errors of a list."""

    def __init__(self, errors: str | Errors) -> None:
        super().__init__(str(errors))
        self.errors: list[str] | Errors = [errors] if isinstance(errors, str) else errors


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    check: Check
    required: bool = True
    default: Any = None
    nullable: bool = False


class Schema:
    """Fields in declared order. `load` answers (values, errors); errors keep that order, unknown ones last."""

    def __init__(self, *fields: Field, drop_unknown: bool = False) -> None:
        self.fields = fields
        self._known = frozenset(field.name for field in fields)
        self.drop_unknown = drop_unknown

    def load(self, body: Mapping[str, Any]) -> tuple[dict[str, Any], Errors]:
        values: dict[str, Any] = {}
        errors: Errors = {}
        for field in self.fields:
            if field.name not in body:
                if field.required:
                    errors[field.name] = [MISSING]
                else:
                    values[field.name] = field.default
                continue
            value = body[field.name]
            if value is None:
                if field.nullable:
                    values[field.name] = None
                else:
                    errors[field.name] = [NULL]
                continue
            try:
                values[field.name] = field.check(value)
            except Bad as bad:
                errors[field.name] = bad.errors
        if not self.drop_unknown and not body.keys() <= self._known:
            errors.update({name: [UNKNOWN] for name in body if name not in self._known})
        return values, errors


def need(name: str, check: Check) -> Field:
    return Field(name, check)


def may(name: str, check: Check, default: Any = None, *, null: bool = False) -> Field:
    return Field(name, check, required=False, default=default, nullable=null)


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise Bad("Not a valid string.")
    return value


def sized(low: int, high: int) -> Check:
    def check(value: Any) -> str:
        found = text(value)
        if not low <= len(found) <= high:
            raise Bad(f"Length must be between {low} and {high}.")
        return found

    return check


def one_of(*choices: str) -> Check:
    def check(value: Any) -> str:
        if value not in choices:
            raise Bad(f"Must be one of: {', '.join(choices)}.")
        return str(value)

    return check


def number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Bad("Not a valid number.")
    try:
        found = float(value)
    except ValueError:
        raise Bad("Not a valid number.") from None
    if math.isnan(found) or math.isinf(found):
        raise Bad(SPECIAL)
    return found


def at_least_zero(label: str) -> Check:
    def check(value: Any) -> float:
        found = number(value)
        if found < 0:
            raise Bad(f"{label} must be a non-negative number.")
        return found

    return check


def quantity(value: Any) -> int:
    found = number(value)
    if found <= 0:
        raise Bad("Quantity must be a positive number.")
    return whole(found)


def quantity_or_zero(value: Any) -> int:
    found = number(value)
    if found < 0:
        raise Bad("Quantity must be a non-negative number.")
    return whole(found)


def whole(found: float) -> int:
    if found != int(found):
        raise Bad(f"Fractional quantity ({found}) is not allowed for non-crypto exchanges.")
    return int(found)


def integer(value: Any) -> int:
    """Whole numbers and their text; a fraction is cut off silently, as on the server."""
    if isinstance(value, bool):
        raise Bad("Not a valid integer.")
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise Bad("Not a valid integer.") from None


def integer_between(low: int, high: int | None, told: str | None = None) -> Check:
    def check(value: Any) -> int:
        found = integer(value)
        if found < low or (high is not None and found > high):
            raise Bad(told or _range_text(low, high))
        return found

    return check


def number_between(low: float, high: float) -> Check:
    def check(value: Any) -> float:
        found = number(value)
        if not low <= found <= high:
            raise Bad(_range_text(low, high))
        return found

    return check


def _range_text(low: float, high: float | None) -> str:
    if high is None:
        return f"Must be greater than or equal to {low}."
    return f"Must be greater than or equal to {low} and less than or equal to {high}."


def boolean(value: Any) -> bool:
    if isinstance(value, str):
        value = value.lower()
    if value in (True, "true", "t", "1", "yes", "y", "on"):
        return True
    if value in (False, "false", "f", "0", "no", "n", "off"):
        return False
    raise Bad("Not a valid boolean.")


def iso_date(value: Any) -> date:
    if not isinstance(value, str):
        raise Bad("Not a valid date.")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise Bad("Not a valid date.") from None


def items(schema: Schema, low: int, high: int | None, told: str | None = None) -> Check:
    """A list of objects; nested errors are keyed by index."""

    def check(value: Any) -> list[dict[str, Any]]:
        if not isinstance(value, list):
            raise Bad("Not a valid list.")
        errors: Errors = {}
        found: list[dict[str, Any]] = []
        for index, item in enumerate(value):
            if not isinstance(item, Mapping):
                errors[index] = {"_schema": ["Invalid input type."]}
                continue
            values, wrong = schema.load(item)
            if wrong:
                errors[index] = wrong
            found.append(values)
        if errors:
            raise Bad(errors)
        if len(found) < low or (high is not None and len(found) > high):
            raise Bad(told or f"Shorter than minimum length {low}.")
        return found

    return check

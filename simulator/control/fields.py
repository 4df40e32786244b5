"""Reading control requests: a wrong field is named, never guessed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class BadInput(ValueError):
    """Answered as 400 {"error": why, "field": where}."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(why)
        self.where = where


class Fields:
    """A JSON object read field by field; `done` refuses what nobody read."""

    def __init__(self, body: Any) -> None:
        if not isinstance(body, Mapping):
            raise BadInput("", "the body must be a JSON object")
        self._body = body
        self._read: set[str] = set()

    def has(self, name: str) -> bool:
        self._read.add(name)
        return self._body.get(name) is not None

    def raw(self, name: str, default: Any = None) -> Any:
        self._read.add(name)
        return self._body.get(name, default)

    def number(self, name: str, default: float | None = None) -> float:
        value = self.raw(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadInput(name, "must be a number" if value is not None else "is required")
        if value != value or value in (float("inf"), float("-inf")):
            raise BadInput(name, "must be finite")
        return float(value)

    def positive(self, name: str, default: float | None = None) -> float:
        value = self.number(name, default)
        if value <= 0:
            raise BadInput(name, "must be above 0")
        return value

    def whole(self, name: str, default: int | None = None) -> int:
        value = self.raw(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise BadInput(name, "must be a whole number" if value is not None else "is required")
        return value

    def text(self, name: str, default: str | None = None) -> str:
        value = self.raw(name, default)
        if not isinstance(value, str) or not value:
            raise BadInput(name, "must be text" if value is not None else "is required")
        return value

    def choice(self, name: str, choices: tuple[str, ...], default: str | None = None) -> str:
        value = self.text(name, default)
        if value not in choices:
            raise BadInput(name, f"must be one of {', '.join(choices)}")
        return value

    def flag(self, name: str, default: bool | None = None) -> bool:
        value = self.raw(name, default)
        if not isinstance(value, bool):
            raise BadInput(name, "must be true or false" if value is not None else "is required")
        return value

    def done(self) -> None:
        for name in self._body:
            if name not in self._read:
                raise BadInput(name, "unknown field")

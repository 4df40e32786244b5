"""The tree of refusals and doubts. The class carries the decision; nobody parses a message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class AlgoMirrorError(Exception):
    """Base of everything we raise on purpose."""


class Refused(AlgoMirrorError):
    """The input or the state does not allow it. Nothing was done.

    `fields` maps a field name to what is wrong with it, for forms and the API.
    """

    def __init__(self, message: str, *, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fields: dict[str, str] = dict(fields or {})


class Denied(Refused):
    """Our own gate said no. `code` is from the closed list of denial codes."""

    def __init__(self, code: str, message: str, **numbers: Any) -> None:
        super().__init__(message)
        self.code = code
        self.numbers = numbers


class Conflict(Refused):
    """Somebody else was first, or the state moved on."""


class Unknown(AlgoMirrorError):
    """We cannot say what happened. Only evidence may resolve it."""


class Misconfigured(AlgoMirrorError):
    """The installation lacks something without which it must not run."""


class IllegalMove(AlgoMirrorError):
    """A state was asked to move where its table does not lead."""

"""Reading variables of the environment: what does not parse is named and refused, never guessed."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

_SAID = dict.fromkeys(("true", "on", "yes", "y", "ok", "1"), True) | dict.fromkeys(("false", "off", "no", "n", "0"), False)


class Variables(environ.Env):  # type: ignore[misc]
    """A variable that is there but empty counts as not set."""

    def bool(self, var: builtins.str, default: Any = environ.Env.NOTSET) -> builtins.bool:
        return bool(self._parsed(var, default, lambda text: _SAID[text.lower()], "true or false"))

    def int(self, var: builtins.str, default: Any = environ.Env.NOTSET) -> builtins.int:
        return int(self._parsed(var, default, int, "a whole number"))

    def float(self, var: builtins.str, default: Any = environ.Env.NOTSET) -> builtins.float:
        return float(self._parsed(var, default, _finite, "a number"))

    def folder(self, var: builtins.str, default: Any = environ.Env.NOTSET) -> Path:
        """A place of ours, made when it is not there."""
        place = Path(self.get_value(var, cast=str, default=default)).absolute()
        try:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ImproperlyConfigured(f"{var}={place} is no folder that can be used ({error.strerror})") from error
        return place

    def one_of(self, var: builtins.str, known: tuple[builtins.str, ...]) -> builtins.str:
        """The first of `known` when not set."""
        text = str(self.get_value(var, cast=str, default="")).strip() or known[0]
        if text not in known:
            raise ImproperlyConfigured(f"{var}={text} is none of {', '.join(known)}")
        return text

    def _parsed(self, var: builtins.str, default: Any, parse: Callable[[builtins.str], Any], kind: builtins.str) -> Any:
        text = str(self.get_value(var, cast=str, default="" if default is not self.NOTSET else default)).strip()
        if text == "" and default is not self.NOTSET:
            return default
        try:
            return parse(text)
        except (ValueError, KeyError) as error:
            raise ImproperlyConfigured(f"{var}={text} is not {kind}") from error


def _finite(text: builtins.str) -> builtins.float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number

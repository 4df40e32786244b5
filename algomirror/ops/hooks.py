"""Calls from a lower room to a higher one, by the dotted name in settings.HOOKS."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string


@cache
def _load(path: str) -> Callable[..., Any]:
    loaded: Callable[..., Any] = import_string(path)
    return loaded


def call(name: str, *args: Any, **kwargs: Any) -> Any:
    """Call the function that settings.HOOKS names; KeyError when nothing is named."""
    return _load(settings.HOOKS[name])(*args, **kwargs)

"""A wrong setting that only the top of the house can see."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from algomirror.frame.readiness.found import is_line


@register()
def blocking_lines_exist(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """A misspelt name would block nothing, and nobody would know."""
    return [
        Error(f"READINESS_BLOCKS names “{name}”, which is no line of the readiness board.", id="algomirror.E011")
        for name in settings.READINESS_BLOCKS
        if not is_line(name)
    ]

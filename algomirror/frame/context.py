"""What every page's header shows. Read only when a template uses it: fragments do not."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from algomirror.frame import selectors


def frame(request: HttpRequest) -> dict[str, Any]:
    if not getattr(request, "user", None) or not request.user.is_authenticated:
        return {}
    return {"frame": SimpleLazyObject(lambda: selectors.header(request))}

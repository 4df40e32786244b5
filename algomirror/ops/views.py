"""Answers for machines that watch us. Public, and nothing secret in them."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from algomirror.ops import health


@login_not_required
@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """This process answers. Says nothing about anything else, so that a sick engine does not take its pages away."""
    return JsonResponse({"alive": True})


@login_not_required
@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    parts = health.parts()
    is_ready = all(part.is_ok for part in parts)
    shown = {p.name: {"ok": p.is_ok, "state": p.state, "age_s": None if p.age_s is None else round(p.age_s, 1)} for p in parts}
    return JsonResponse({"ready": is_ready, "parts": shown}, status=200 if is_ready else 503)

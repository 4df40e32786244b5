"""Answers for machines that watch us. Public, and nothing secret in them."""

from __future__ import annotations

import hmac
from ipaddress import ip_address

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from algomirror.ops import health
from algomirror.ops import metrics as figures


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


@login_not_required
@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """For Prometheus. Without METRICS_TOKEN from this machine only; with it, for whoever sends it."""
    if not _may_scrape(request):
        return HttpResponse("not here\n", status=403, content_type="text/plain")
    return HttpResponse(figures.text(), content_type=CONTENT_TYPE_LATEST)


def _may_scrape(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {settings.METRICS_TOKEN}".encode())
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False

"""How often one address, user or token may ask. Whatever leads out of the market is never counted against anybody."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass

import redis
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django_ratelimit.core import get_usage

GetResponse = Callable[[HttpRequest], HttpResponse]

log = logging.getLogger(__name__)

_UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
# Exits, cancels, the kill switch, silencing an alarm; and what watches whether we are alive.
NEVER = re.compile(
    r"^/(healthz|readyz|metrics"
    r"|(api/v1/)?risk/kill"
    r"|(api/v1/)?runs/\d+/((accounts/\d+/)?exit|stop-entries)"
    r"|(api/v1/)?(orders|positions|books)/(\d+/)?(cancel|close)"
    r"|(api/v1/)?(orders/cancel-all|positions/close-all)"
    r"|(api/v1/)?accounts/\d+/(flatten|close)"
    r"|(api/v1/)?alerts/\d+/(ack|snooze)"
    r")/?$"
)
AUTH = re.compile(r"^/(login(/code)?|register|invite/[^/]+|profile/(password|second-factor(/\w+)?))$")
API = re.compile(r"^/api/")
# Each of these makes another server or the whole database work.
HEAVY_POST = re.compile(
    r"^/(accounts/(new|test|\d+/(test|edit|archive))|chain/import|settings/instruments/(import|file)|margin/requirements/file"
    r"|settings/calendar/(file|server)|margin/calculator/ask|funds/refresh|orders/sync|activity/verify|readiness/run"
    r"|api/v1/accounts(/test|/\d+/test)?|api/v1/readiness/run)$"
)
HEAVY_GET = re.compile(r"\.(csv|xlsx)$|^/api/v1/audit/verify$")


@dataclass(frozen=True, slots=True)
class Tier:
    name: str
    rate: str
    who: str


def tiers(request: HttpRequest) -> list[Tier]:
    """Every tier this request counts in; none for what must always be possible."""
    path, is_unsafe = request.path, request.method in _UNSAFE
    if NEVER.match(path):
        return []
    address = f"a:{request.META.get('REMOTE_ADDR', '')}"
    found = [Tier("global", settings.RATE_GLOBAL, address)]
    if is_unsafe and AUTH.match(path):
        found.append(Tier("auth", settings.RATE_AUTH, address))
    if API.match(path):
        found.append(Tier("api", settings.RATE_API, _person(request) or address))
    if (HEAVY_POST if is_unsafe else HEAVY_GET).search(path):
        found.append(Tier("heavy", settings.RATE_HEAVY, _person(request) or address))
    return found


def _person(request: HttpRequest) -> str:
    if token := request.headers.get("Authorization", ""):
        return "t:" + hashlib.sha256(token.encode()).hexdigest()
    return f"u:{request.user.pk}" if request.user.is_authenticated else ""


class RateLimitMiddleware:
    """Stands after the one that knows the user. Redis down allows: the way to the kill switch must not close with it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        for tier in tiers(request):
            wait_s = _over(request, tier)
            if wait_s and not (tier.name == "global" and _is_fragment_of_a_user(request)):
                log.info("limited tier=%s path=%s who=%s", tier.name, request.path, tier.who[:40])
                return refused(request, wait_s)
        return self.get_response(request)


def _over(request: HttpRequest, tier: Tier) -> int:
    """Seconds to wait, 0 when within the rate."""
    try:
        usage = get_usage(request, group=tier.name, key=lambda *_: tier.who, rate=tier.rate, increment=True)
    except (redis.RedisError, OSError) as error:
        log.warning("rate not counted tier=%s error=%s", tier.name, type(error).__name__)
        return 0
    return max(int(usage["time_left"]), 1) if usage and usage["should_limit"] else 0


def _is_fragment_of_a_user(request: HttpRequest) -> bool:
    """Parts of open pages refresh themselves: many tabs of one office share an address."""
    return request.method in ("GET", "HEAD") and "HX-Request" in request.headers and request.user.is_authenticated


def refused(request: HttpRequest, wait_s: int) -> HttpResponse:
    if API.match(request.path):
        said = f"Too many requests. Try again in {wait_s} s."
        body = {"error": {"code": "THROTTLED", "message": said, "fields": {}, "retry_after": wait_s}}
        response: HttpResponse = JsonResponse(body, status=429)
    else:
        response = render(request, "errors/429.html", {"retry_after": wait_s}, status=429)
    response["Retry-After"] = str(wait_s)
    return response

"""What stands before every page: who is asking from where, whether their session still counts, and the second factor."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse

from accounts import assigned
from accounts.models import User
from accounts.services import second_factor, sessions
from algomirror.frame import errors
from algomirror.ops import journal, sight

GetResponse = Callable[[HttpRequest], HttpResponse]

ENROL = "/profile/second-factor"
# Doors through which new risk comes in. Exits, cancels and the kill switch stay open to whoever may use them.
ENTRIES = re.compile(
    r"^/(ticket(/|$)|strategies(/(?!\d+/entries$)|$)|runs/start$|orders/(modify|market)$|webhooks(/|$)|settings/tokens(/|$))"
)
API_ENTRIES = re.compile(
    r"^/api/v1/(ticket/|strategies(/\d+(/copy|/preview)?)?$|orders$|orders/(\d+/)?(modify|convert)$|runs$|tokens|webhooks)"
)
_SAFE = ("GET", "HEAD", "OPTIONS")


def opens_risk(request: HttpRequest) -> bool:
    return bool(ENTRIES.match(request.path)) or (request.method not in _SAFE and bool(API_ENTRIES.match(request.path)))


def client_address(meta: dict[str, str]) -> str:
    """Who is really asking: behind a proxy that we know, the last address that it did not make up; "" when unknown."""
    near = _ip(meta.get("REMOTE_ADDR", ""))
    proxies = settings.TRUSTED_PROXIES
    if not near or near not in proxies:
        return near
    for text in reversed(meta.get("HTTP_X_FORWARDED_FOR", "").split(",")):
        found = _ip(text.strip())
        if not found:
            return near
        if found not in proxies:
            return found
    return near


def _ip(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        return ""


class ClientAddressMiddleware:
    """Settles the address for limits, sessions and the journal, and turns away bodies that are too large to be ours."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        address = client_address(request.META)
        request.META["REMOTE_ADDR"] = address
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal() or len(length) > 12 or int(length) > settings.UPLOAD_MAX_BYTES:
            return errors.too_large(request)
        with journal.acting_from(address or None):
            return self.get_response(request)


class SessionMiddleware:
    """A session that was idle or open for too long ends before the page sees its user."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME in request.COOKIES:
            sessions.watch(request)
        return self.get_response(request)


class SightMiddleware:
    """Rows of accounts that were not given to this person do not exist for them. A bearer token narrows further in."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user if settings.SESSION_COOKIE_NAME in request.COOKIES else None
        with sight.limited_to(assigned.of(user)):
            return self.get_response(request)


class SecondFactorMiddleware:
    """Who may trade real money enrols before opening new risk."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if opens_risk(request) and isinstance(request.user, User) and second_factor.is_missing(request.user):
            return _to_enrolment(request)
        return self.get_response(request)


def _to_enrolment(request: HttpRequest) -> HttpResponse:
    if request.path.startswith("/api/"):
        said = "An account is live: enrol a second factor under Profile before trading."
        return JsonResponse({"error": {"code": "SECOND_FACTOR_REQUIRED", "message": said, "fields": {}}}, status=403)
    target = f"{ENROL}?next={quote(request.path)}" if request.method in _SAFE else ENROL
    if request.headers.get("HX-Request") == "true":
        return HttpResponse(status=204, headers={"HX-Redirect": target})
    return HttpResponseRedirect(target)

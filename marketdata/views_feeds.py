"""The feed page."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accounts.models import User
from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from marketdata import feeds


@require_GET
@never_cache
def feeds_page(request: HttpRequest) -> HttpResponse:
    return render(request, "marketdata/feeds.html", {"feed": feeds.page(clock.now())})


@require_GET
@never_cache
def feeds_parts(request: HttpRequest) -> HttpResponse:
    return render(request, "marketdata/_feeds.html", {"feed": feeds.page(clock.now())})


@require_POST
def feeds_choose(request: HttpRequest) -> HttpResponse:
    """`account` is an id; empty gives the choice back to health."""
    if not (isinstance(request.user, User) and request.user.is_owner):
        raise PermissionDenied
    asked = request.POST.get("account", "")
    if asked and not (asked.isdecimal() and len(asked) < 10):
        raise Refused("account is a number.", fields={"account": "not a number"})
    feeds.choose(request.user, int(asked) if asked else None)
    return redirect("feeds")

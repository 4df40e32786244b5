"""The list of settings pages. A page that does not exist is not listed."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from algomirror.frame.selectors import is_route

PAGES = (
    ("/settings/calendar", "Market calendar", "hours, holidays and special sessions of each exchange, with their dates"),
    ("/settings/instruments", "Instruments", "lots, freezes and ticks per expiry, what the lists changed, disputes"),
    ("/settings/feeds", "Feeds", "where prices come from, the backups, and every switch with its reason"),
    ("/settings/users", "People", "who may do what, invitations, sessions"),
    ("/settings/security", "Security", "second factor, sessions, password"),
    ("/settings/tokens", "API tokens", "programs that may act for you"),
    ("/alerts/settings", "Alerts", "which alarms ring, and where"),
)


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    pages = [{"url": url, "name": name, "about": about} for url, name, about in PAGES if is_route(url)]
    return render(request, "frame/settings.html", {"pages": pages})

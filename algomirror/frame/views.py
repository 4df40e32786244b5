from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.models import Account, User
from algomirror.frame import alerts as alert_pages
from algomirror.frame.dashboard import dashboard as read_dashboard
from algomirror.ops import alarms
from algomirror.ops.models import Alarm
from strategies.pages.curve import day_chart


def may_acknowledge(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and request.user.may_reduce


def _dashboard(request: HttpRequest) -> dict[str, Any]:
    return {"page": read_dashboard(), "events": alert_pages.events(may_acknowledge=may_acknowledge(request))}


@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """A new owner is sent to connect the first account."""
    if isinstance(request.user, User) and request.user.is_owner and not Account.objects.filter(archived_at=None).exists():
        return redirect("account_new")
    return render(request, "dashboard/dashboard.html", _dashboard(request))


@require_safe
def dashboard_body(request: HttpRequest) -> HttpResponse:
    return render(request, "dashboard/_body.html", _dashboard(request))


@require_safe
def dashboard_pnl(request: HttpRequest) -> JsonResponse:
    """The P&L of today over time, for the chart."""
    return JsonResponse(day_chart())


@require_safe
def status(request: HttpRequest) -> HttpResponse:
    return render(request, "frame/_status.html")


@require_safe
def alerts(request: HttpRequest) -> HttpResponse:
    return render(request, "dashboard/alerts.html", _alerts(request))


@require_safe
def alert_rows(request: HttpRequest) -> HttpResponse:
    return render(request, "dashboard/_alerts.html", _alerts(request))


def _alerts(request: HttpRequest) -> dict[str, Any]:
    return {"page": alert_pages.alerts_page(may_acknowledge=may_acknowledge(request))}


@require_safe
def tray(request: HttpRequest) -> HttpResponse:
    events = alert_pages.events(may_acknowledge=may_acknowledge(request))
    return render(request, "dashboard/_tray.html", {"events": events})


@require_POST
def acknowledge(request: HttpRequest, alarm_id: int) -> HttpResponse:
    """Silence one alarm; the one that another person silenced first stays silent."""
    if not may_acknowledge(request):
        raise PermissionDenied
    done = alarms.acknowledge(alarm_id, who=f"user:{request.user.get_username()}")
    if not done and not Alarm.objects.filter(pk=alarm_id).exists():
        raise Http404
    if "text/html" not in request.headers.get("Accept", ""):
        return HttpResponse(status=204)
    messages.info(request, "Acknowledged." if done else "It was acknowledged before.")
    return redirect("alerts")


@require_POST
def snooze(request: HttpRequest, alarm_id: int) -> HttpResponse:
    """Silent for some minutes; what may cost money for fifteen at most."""
    if not may_acknowledge(request):
        raise PermissionDenied
    if not Alarm.objects.filter(pk=alarm_id).exists():
        raise Http404
    typed = request.POST.get("minutes", "")
    minutes = int(typed) if typed.isdecimal() and len(typed) < 6 else 0
    done = alarms.snooze(alarm_id, minutes, who=f"user:{request.user.get_username()}")
    if "text/html" not in request.headers.get("Accept", ""):
        return HttpResponse(status=204)
    messages.info(request, f"Silent for {minutes} min." if done else "It was acknowledged before.")
    return redirect("alerts")


@require_safe
def gallery(request: HttpRequest) -> HttpResponse:
    if not (settings.DEBUG or settings.DEMO):
        raise Http404
    return render(request, "frame/gallery.html")

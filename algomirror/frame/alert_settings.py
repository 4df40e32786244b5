"""Where alarms go: channels, which class goes where, a test button each. The owner's page."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import User
from algomirror.frame.alert_forms import ChannelForm
from algomirror.kernel.errors import Refused
from algomirror.ops.alerts import channels
from algomirror.ops.alerts.classes import CRITICAL, NAMES
from algomirror.ops.alerts.models import AlertChannel, AlertDelivery, AlertRule

SHOWN = 50


def _owner(request: HttpRequest) -> str:
    """The journal's name of the owner; nobody else gets in."""
    if not isinstance(request.user, User) or not request.user.is_owner:
        raise PermissionDenied
    return f"user:{request.user.username}"


def _channel(pk: int) -> AlertChannel:
    channel = AlertChannel.objects.filter(pk=pk).first()
    if channel is None:
        raise Http404
    return channel


def _page(form: ChannelForm) -> dict[str, Any]:
    rows = list(AlertChannel.objects.all())
    rules = set(AlertRule.objects.values_list("channel_id", "event_class"))
    matrix = [
        {
            "name": label,
            "is_critical": one in CRITICAL,
            "cells": [{"value": f"{c.pk}:{one}", "on": (c.pk, one) in rules, "label": f"{label} by {c.name}"} for c in rows],
        }
        for one, label in NAMES.items()
    ]
    deliveries = AlertDelivery.objects.select_related("alarm", "channel")[:SHOWN]
    return {"form": form, "channels": rows, "matrix": matrix, "deliveries": deliveries}


@sensitive_post_parameters("token", "password", "url")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    by = _owner(request)
    if request.method != "POST":
        return render(request, "alerts/settings.html", _page(ChannelForm()))
    form = ChannelForm(request.POST)
    if form.is_valid():
        typed = form.cleaned_data
        try:
            quiet = (typed["quiet_from"], typed["quiet_to"])
            made = channels.make(typed["kind"], typed["name"], form.config(), quiet=quiet, by=by)
        except Refused as refused:
            for name, what in refused.fields.items():
                form.add_error(name if name in form.fields else None, what)
        else:
            if secret := channels.secret_of(made):
                return render(request, "alerts/secret.html", {"channel": made, "secret": secret})
            messages.info(request, f"{made.name} is made. Try it.")
            return redirect("alerts-settings")
    return render(request, "alerts/settings.html", _page(form), status=422)


@require_POST
def rules(request: HttpRequest) -> HttpResponse:
    by = _owner(request)
    pairs = [text.partition(":") for text in request.POST.getlist("rule")]
    wanted = [(int(pk), one) for pk, _, one in pairs if pk.isascii() and pk.isdecimal() and len(pk) < 19]
    channels.set_rules(wanted, by=by)
    messages.info(request, "Saved.")
    return redirect("alerts-settings")


@require_POST
def test(request: HttpRequest, pk: int) -> HttpResponse:
    _owner(request)
    channel = _channel(pk)
    trouble = channels.try_now(channel)
    if trouble:
        messages.warning(request, f"{channel.name}: {trouble}.")
    else:
        messages.info(request, f"{channel.name}: sent. Did it arrive?")
    return redirect("alerts-settings")


@require_POST
def switch(request: HttpRequest, pk: int) -> HttpResponse:
    by = _owner(request)
    channels.set_enabled(_channel(pk).pk, enabled=request.POST.get("enabled") == "1", by=by)
    return redirect("alerts-settings")


@require_POST
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    by = _owner(request)
    channels.remove(_channel(pk).pk, by=by)
    messages.info(request, "Removed.")
    return redirect("alerts-settings")

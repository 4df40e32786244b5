"""Pages of webhooks: list, one hook with its console and log. Secrets are shown once."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import User
from algomirror.kernel.errors import Refused
from strategies.domain.signals import MOST_BYTES, OF_A_LEG, Act
from strategies.views.access import trader, user_of
from strategies.webhooks import receive, services
from strategies.webhooks.forms import WebhookForm, initial_of
from strategies.webhooks.models import Signal, Webhook

SIGNALS_SHOWN = 100


def _hook(pk: int) -> Webhook:
    hook = Webhook.objects.select_related("strategy", "owner").filter(pk=pk).first()
    if hook is None:
        raise Http404
    return hook


def template_of(hook: Webhook) -> str:
    """What to paste in TradingView's message box; its {{timenow}} is filled when the alert fires."""
    act = "START" if "START" in hook.acts else hook.acts[0]
    told = {"action": act.lower(), "timestamp": "{{timenow}}", "secret": "YOUR SECRET", "id": "{{ticker}}-{{timenow}}"}
    part = {"leg": 1} if act in OF_A_LEG else {}
    return json.dumps({**told, **part, **({"lots": 1} if act == Act.REDUCE else {})})


@require_safe
def webhooks(request: HttpRequest) -> HttpResponse:
    rows = Webhook.objects.select_related("strategy", "owner")
    return render(request, "webhooks/webhooks.html", {"rows": rows, "may_trade": user_of(request).may_trade})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    user = trader(request)
    if request.method != "POST":
        return render(request, "webhooks/new.html", {"form": WebhookForm()})
    form = WebhookForm(request.POST)
    if form.is_valid():
        try:
            made = services.make(user, form.wanted())
        except Refused as refused:
            _take(form, refused)
        else:
            return _shown_once(request, made)
    return render(request, "webhooks/new.html", {"form": form}, status=422)


def _take(form: WebhookForm, refused: Refused) -> None:
    for name, what in refused.fields.items():
        form.add_error(name if name in form.fields else None, what)
    if not refused.fields:
        form.add_error(None, refused.message)


def _shown_once(request: HttpRequest, made: services.Made) -> HttpResponse:
    url = request.build_absolute_uri(f"/hooks/{made.hook.public_id}")
    return render(request, "webhooks/secret.html", {"made": made, "url": url, "template": template_of(made.hook)})


def _context(request: HttpRequest, hook: Webhook, user: User) -> dict[str, Any]:
    return {
        "hook": hook,
        "url": request.build_absolute_uri(f"/hooks/{hook.public_id}"),
        "template": template_of(hook),
        "may_trade": user.may_trade,
        "signals": Signal.objects.filter(hook=hook)[:SIGNALS_SHOWN],
    }


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def webhook(request: HttpRequest, pk: int) -> HttpResponse:
    user = trader(request) if request.method == "POST" else user_of(request)
    hook = _hook(pk)
    if request.method != "POST":
        form = WebhookForm(initial=initial_of(hook))
        return render(request, "webhooks/webhook.html", {**_context(request, hook, user), "form": form})
    form = WebhookForm(request.POST)
    if form.is_valid():
        try:
            services.change(user, hook, form.wanted(), version=form.cleaned_data["version"] or 0)
        except Refused as refused:
            _take(form, refused)
        else:
            messages.info(request, "Saved.")
            return redirect("webhook", pk=pk)
    return render(request, "webhooks/webhook.html", {**_context(request, hook, user), "form": form}, status=422)


@require_safe
def signals(request: HttpRequest, pk: int) -> HttpResponse:
    return render(request, "webhooks/_signals.html", _context(request, _hook(pk), user_of(request)))


@require_POST
def rotate(request: HttpRequest, pk: int) -> HttpResponse:
    return _shown_once(request, services.rotate(trader(request), _hook(pk)))


@sensitive_post_parameters("body")
@require_POST
def console(request: HttpRequest, pk: int) -> HttpResponse:
    """How a body would be read. Nothing acts, nothing is kept."""
    trader(request)
    body = request.POST.get("body", "").encode("utf-8", "replace")
    if len(body) > MOST_BYTES:
        raise Refused("A signal is at most 16 KB.", fields={"body": "too long"})
    found = receive.judge(_hook(pk), body)
    if request.headers.get("HX-Request") == "true":
        return render(request, "webhooks/_judged.html", {"found": found})
    return render(request, "webhooks/judged.html", {"found": found, "hook": _hook(pk)})

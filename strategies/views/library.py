"""Templates, files, versions and the schedule switch."""

from __future__ import annotations

import re

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from algomirror.kernel.errors import Refused
from strategies.domain import portable
from strategies.pages import library as page
from strategies.services import build, schedules
from strategies.views.access import actor, strategy_or_404, trader, user_of, version_or_404
from strategies.views.strategies import from_draft


@require_safe
def templates(request: HttpRequest) -> HttpResponse:
    context = {**page.templates_page(), "may_trade": user_of(request).may_trade}
    return render(request, "strategies/templates.html", context)


@require_POST
def save_as_template(request: HttpRequest, pk: int) -> HttpResponse:
    user = trader(request)
    version = build.copy(strategy_or_404(pk), owner=user, is_template=True)
    messages.info(request, f"Kept as template {version.strategy.name}.")
    return redirect("strategy-templates")


@require_http_methods(["GET", "HEAD", "POST"])
def take_file(request: HttpRequest) -> HttpResponse:
    """A file, or its text, becomes the builder's content; nothing is saved before the trader saves it."""
    trader(request)
    if request.method != "POST":
        return render(request, "strategies/import.html", {})
    upload = request.FILES.get("file")
    text = upload.read(portable.LARGEST_BYTES + 1) if upload is not None else request.POST.get("text", "")
    try:
        draft = portable.from_text(text)
    except Refused as refused:
        return render(request, "strategies/import.html", {"refused": refused, "text": request.POST.get("text", "")}, status=422)
    return from_draft(request, draft, said=["Read from a file. Choose the accounts, then save."])


@require_safe
def export(request: HttpRequest, pk: int) -> HttpResponse:
    user_of(request)
    strategy = strategy_or_404(pk)
    text = portable.to_text(build.draft_of(version_or_404(strategy)))
    name = re.sub(r"[^A-Za-z0-9-]+", "-", strategy.name).strip("-").lower() or "strategy"
    response = HttpResponse(text, content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="{name}.json"'
    return response


@require_safe
def versions(request: HttpRequest, pk: int) -> HttpResponse:
    """Every version with its runs, and what differs between two of them."""
    strategy = strategy_or_404(pk)
    older, newer = (_number(request.GET.get(name, "")) for name in ("a", "b"))
    context = page.versions_page(strategy, older, newer)
    return render(request, "strategies/versions.html", {"strategy": strategy, **context})


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 6 else None


@require_POST
def schedule(request: HttpRequest, pk: int) -> HttpResponse:
    user = trader(request)
    strategy = strategy_or_404(pk)
    is_on = request.POST.get("on") == "1"
    schedules.switch(strategy, on=is_on, by=actor(user))
    messages.info(request, f"{strategy.name} {'starts by its schedule' if is_on else 'is started by hand only'}.")
    return redirect("strategies")

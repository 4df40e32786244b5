"""Runs: the list, one run, starting and leaving."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import User
from algomirror.kernel import clock
from algomirror.ops.sheets import csv_response
from risk.domain.terms import terms_of
from risk.forms import risk_initial
from risk.models import RunLimits
from risk.services import arming, pausing
from strategies import forms
from strategies.pages import payoffs
from strategies.pages import runs as page
from strategies.pages.curve import pnl_chart
from strategies.pages.runs_table import runs_table
from strategies.services import start as starting
from strategies.services import stop
from strategies.views.access import actor, checked, is_fragment, owner, reducer, run_or_404, trader
from trading.models import Run


@require_safe
def runs(request: HttpRequest) -> HttpResponse:
    return render(request, "strategies/runs.html", page.runs_page())


@require_safe
def rows(request: HttpRequest) -> HttpResponse:
    return render(request, "strategies/_runs.html", page.runs_page())


@require_safe
def export(request: HttpRequest) -> HttpResponseBase:
    return csv_response(runs_table())


def _context(request: HttpRequest, run: Run) -> dict[str, Any]:
    user = request.user if isinstance(request.user, User) else None
    shown = page.run_page(run)
    context: dict[str, Any] = {
        "page": shown,
        "may_reduce": user is not None and user.may_reduce,
        "may_trade": user is not None and user.may_trade,
    }
    if user is not None and user.is_owner and shown.limits:
        context["pause_form"] = forms.PauseForm(shown.limits)
    context["note_form"] = forms.NoteForm()
    context["tags_form"] = forms.TagsForm(initial={"words": ", ".join(shown.tags)})
    if shown.terms is not None:
        context["limits_form"] = forms.ChangeLimitsForm(initial=vars_of(shown.terms) | risk_initial(terms_of(shown.terms.terms)))
    return context


def vars_of(terms: Any) -> dict[str, Any]:
    names = ("max_loss", "max_profit", "max_loss_action", "max_profit_action", "blind_policy")
    return {name: getattr(terms, name) for name in names}


@require_safe
def run(request: HttpRequest, pk: int) -> HttpResponse:
    return render(request, "strategies/run.html", _context(request, run_or_404(pk)))


@require_safe
def run_body(request: HttpRequest, pk: int) -> HttpResponse:
    return render(request, "strategies/_run.html", _context(request, run_or_404(pk)))


@require_safe
def payoff(request: HttpRequest, pk: int) -> HttpResponse:
    """The curves of what the run holds now; the what-if comes from the address."""
    found = run_or_404(pk)
    typed = forms.WhatIfForm(request.GET)
    curves = payoffs.of_run(found, typed.what_if()) if typed.is_valid() else []
    return render(request, "strategies/_run_payoff.html", {"run": found, "curves": curves, "whatif": typed})


@require_safe
def pnl(request: HttpRequest, pk: int) -> JsonResponse:
    """The P&L of the run over time with its stop lines, for the chart."""
    return JsonResponse(pnl_chart(run_or_404(pk)))


@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """Send exactly the previewed plan. A repeat answers with the first run."""
    user = trader(request)
    form = forms.SendForm(request.POST)
    checked(form)
    made = starting.start(
        form.cleaned_data["plan"],
        digest=form.cleaned_data["digest"],
        idempotency_key=form.cleaned_data["idempotency_key"],
        by=actor(user),
    )
    if is_fragment(request):
        response = HttpResponse(status=200)
        response["HX-Redirect"] = f"/runs/{made.pk}"
        return response
    return redirect("run", pk=made.pk)


@require_http_methods(["GET", "HEAD", "POST"])
def leave(request: HttpRequest, pk: int, account_id: int | None = None) -> HttpResponse:
    """GET asks, for browsers without scripts; POST asks for the exit goals."""
    user = reducer(request)
    found = run_or_404(pk)
    if request.method != "POST":
        return render(request, "strategies/leave.html", {"page": page.run_page(found), "account_id": account_id})
    form = forms.ExitForm(request.POST)
    checked(form)
    goals = stop.exit_run(pk, by=actor(user), why=form.cleaned_data["why"], account_id=account_id)
    if is_fragment(request):
        return render(request, "strategies/_left.html", {"goals": goals, "run": found})
    messages.info(request, f"{len(goals)} exits asked." if goals else "There is nothing to close.")
    return redirect("run", pk=pk)


@require_POST
def stop_entries(request: HttpRequest, pk: int) -> HttpResponse:
    """What has not filled does not any more; what has stays guarded."""
    user = reducer(request)
    found = run_or_404(pk)
    stopped = stop.stop_entries(found.pk, by=actor(user))
    messages.info(request, f"Entries stopped in {stopped} accounts." if stopped else "Its entry was over already.")
    return redirect("run", pk=pk)


@require_POST
def limits(request: HttpRequest, pk: int) -> HttpResponse:
    """Other limits for an open run: tightening is free, loosening needs a reason."""
    user = trader(request)
    found = run_or_404(pk)
    form = forms.ChangeLimitsForm(request.POST)
    checked(form)
    terms = RunLimits.objects.filter(run=found).first()
    arming.change(found.pk, form.terms(scope=terms.scope if terms else "RUN"), by=actor(user), why=form.cleaned_data["why"])
    messages.info(request, "Limits changed.")
    return redirect("run", pk=pk)


@require_POST
def pause_guard(request: HttpRequest, pk: int) -> HttpResponse:
    """Hold one guard back for some minutes, or let it act again."""
    user, found = owner(request), run_or_404(pk)
    form = forms.PauseForm(page.run_page(found).limits, request.POST)
    checked(form)
    asked = form.cleaned_data
    if asked["minutes"]:
        until = clock.now() + timedelta(minutes=asked["minutes"])
        pausing.pause(asked["guard"], until=until, by=actor(user), why=asked["why"])
        messages.info(request, "Paused. It acts again by itself.")
    else:
        pausing.resume(asked["guard"], by=actor(user), why=asked["why"])
        messages.info(request, "It acts again.")
    return redirect("run", pk=pk)

"""The risk monitor and the kill switch."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import Account, User
from algomirror.kernel.errors import Refused
from algomirror.ops import sight
from risk import kills, pages
from risk.forms import KillForm, ReleaseForm
from risk.services import kill as killing
from risk.services import switch


def _user(request: HttpRequest, *, may: str) -> User:
    if not isinstance(request.user, User) or not getattr(request.user, may):
        raise PermissionDenied
    return request.user


def _page(request: HttpRequest) -> dict[str, Any]:
    user = request.user if isinstance(request.user, User) else None
    return {
        **pages.risk_page(),
        "may_reduce": user is not None and user.may_reduce,
        "may_release": user is not None and user.is_owner,
    }


@require_safe
def risk(request: HttpRequest) -> HttpResponse:
    return render(request, "risk/risk.html", _page(request))


@require_safe
def monitor(request: HttpRequest) -> HttpResponse:
    return render(request, "risk/_monitor.html", _page(request))


@require_http_methods(["GET", "HEAD", "POST"])
def kill(request: HttpRequest) -> HttpResponse:
    """GET is the page for browsers without scripts; POST acts."""
    user = _user(request, may="may_reduce")
    if request.method != "POST":
        form = KillForm(initial={"scope": request.GET.get("scope", "platform"), "level": request.GET.get("level", "")})
        return render(
            request,
            "risk/kill.html",
            {"form": form, "scopes": pages.kill_scopes(), "chosen": form["scope"].value(), "history": kills.history()},
        )
    form = KillForm(request.POST)
    _checked(form)
    scope, target = killing.scope_of(form.cleaned_data["scope"])
    if scope == "platform" and sight.is_limited():
        raise PermissionDenied
    done = killing.kill(
        scope=scope,
        target=target,
        level=form.cleaned_data["level"],
        by=f"user:{user.username}",
        reason=form.cleaned_data["reason"],
    )
    if request.headers.get("HX-Request") == "true":
        return render(request, "risk/_killed.html", {"done": done})
    messages.info(request, f"{done.level} on {done.scope}: {done.cancels} cancels asked, {len(done.goals)} exits stand.")
    return redirect("risk")


@require_POST
def release(request: HttpRequest) -> HttpResponse:
    user = _user(request, may="is_owner")
    form = ReleaseForm(request.POST)
    _checked(form)
    scope, target = killing.scope_of(form.cleaned_data["scope"])
    account = Account.objects.filter(pk=target).first() if scope == "account" and target is not None else None
    if scope not in ("platform", "account") or (scope == "account" and account is None):
        raise Refused("Choose what is released: the platform or an account.", fields={"scope": "unknown scope"})
    switch.release(account, user=user, why=form.cleaned_data["reason"])
    messages.info(request, "Released.")
    return redirect("risk")


def _checked(form: Form) -> None:
    if not form.is_valid():
        words = {name: " ".join(str(e) for e in errors) for name, errors in form.errors.items()}
        raise Refused("The form was not understood. Nothing was done.", fields=words)

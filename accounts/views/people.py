"""Users and invitations, for the owner."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accounts import selectors
from accounts.forms import InviteForm
from accounts.services import people, second_factor
from accounts.views.access import owner_only, user_of


def _users(**more: Any) -> dict[str, Any]:
    return {
        "people": selectors.people(),
        "accounts": selectors.active_accounts(),
        "invites": selectors.open_invites(),
        "form": InviteForm(),
        **more,
    }


@owner_only
@require_GET
@never_cache
def users(request: HttpRequest) -> HttpResponse:
    return render(request, "accounts/users.html", _users())


@owner_only
@never_cache
@require_POST
def invite(request: HttpRequest) -> HttpResponse:
    """The link is in this answer and nowhere else."""
    form = InviteForm(request.POST)
    if not form.is_valid():
        return render(request, "accounts/users.html", _users(form=form), status=422)
    token = people.invite(user_of(request), form.cleaned_data["role"])
    link = request.build_absolute_uri(reverse("invite", args=[token]))
    return render(request, "accounts/users.html", _users(link=link, link_role=form.cleaned_data["role"]))


@owner_only
@require_POST
def withdraw(request: HttpRequest, invite_id: int) -> HttpResponse:
    people.withdraw(user_of(request), invite_id)
    return _done(request, "The invitation opens nothing any more.")


@owner_only
@require_POST
def change_role(request: HttpRequest, user_id: int) -> HttpResponse:
    people.change_role(user_of(request), user_id, request.POST.get("role", ""))
    return _done(request, "The role was changed.")


@owner_only
@require_POST
def assign(request: HttpRequest, user_id: int) -> HttpResponse:
    """Ticked accounts, or all of them with `all`."""
    ticked = [int(pk) for pk in request.POST.getlist("accounts") if pk.isdecimal() and len(pk) < 19]
    people.assign(user_of(request), user_id, None if request.POST.get("all") == "1" else ticked)
    return _done(request, "The accounts were changed.")


@owner_only
@require_POST
def set_active(request: HttpRequest, user_id: int) -> HttpResponse:
    active = request.POST.get("active") == "1"
    people.set_active(user_of(request), user_id, active)
    return _done(request, "Enabled." if active else "Disabled and signed out everywhere.")


@owner_only
@require_POST
def end_sessions(request: HttpRequest, user_id: int) -> HttpResponse:
    ended = people.end_sessions(user_of(request), user_id)
    return _done(request, f"{ended} browser(s) signed out.")


@owner_only
@require_POST
def reset_second_factor(request: HttpRequest, user_id: int) -> HttpResponse:
    second_factor.reset(user_of(request), user_id)
    return _done(request, "The second factor is off; they enrol again.")


def _done(request: HttpRequest, said: str) -> HttpResponse:
    messages.success(request, said)
    return redirect("users")

"""The way in: landing, registration, invitations, sign-in with both factors, sign-out."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import attempts
from accounts.forms import CodeForm, RegisterForm, SignInForm, take_refusal
from accounts.models import User
from accounts.services import people, second_factor, sessions
from accounts.services.owner import is_registration_open, register_owner
from algomirror.kernel import clock
from algomirror.kernel.errors import Conflict, Refused

# Between the password and the code.
CODE_WAITS_S = 300
_HALF_IN = "am_half_signed_in"


@login_not_required
@require_GET
def landing(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect("/dashboard")
    return render(request, "registration/landing.html", {"can_register": is_registration_open()})


@login_not_required
@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def register(request: HttpRequest) -> HttpResponse:
    if request.method == "GET":
        if not is_registration_open():
            return redirect("login")
        return render(request, "registration/register.html", {"form": RegisterForm()})
    form = RegisterForm(request.POST)
    if form.is_valid():
        typed = form.cleaned_data
        try:
            owner = register_owner(username=typed["username"], email=typed["email"], password=typed["password"])
        except Conflict:
            raise
        except Refused as refusal:
            take_refusal(form, refusal)
        else:
            sessions.open_session(request, owner)
            return redirect("account_new")
    return render(request, "registration/register.html", {"form": form}, status=422)


@login_not_required
@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def invite(request: HttpRequest, token: str) -> HttpResponse:
    """Whoever holds the link of an invitation becomes the person it was made for."""
    found = people.open_invite(token)
    if found is None:
        return render(request, "registration/invite_gone.html", {"said": people.GONE}, status=404)
    form = RegisterForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        try:
            user = people.accept(token, username=typed["username"], email=typed["email"], password=typed["password"])
        except Conflict:
            raise
        except Refused as refusal:
            take_refusal(form, refusal)
        else:
            sessions.open_session(request, user)
            return redirect("/dashboard")
    status = 422 if request.method == "POST" else 200
    return render(request, "registration/invite.html", {"form": form, "role": found.get_role_display()}, status=status)


@login_not_required
@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    next_path = local_path(request.POST.get("next") or request.GET.get("next", ""))
    if request.method == "GET":
        if request.user.is_authenticated:
            return redirect(next_path or "/dashboard")
        return render(request, "registration/login.html", {"form": SignInForm(request), "next": next_path})
    form = SignInForm(request, data=request.POST)
    username = request.POST.get("username", "")[:80]
    if form.is_valid():
        user, remembered = form.get_user(), form.cleaned_data["remember"]
        assert isinstance(user, User)
        if second_factor.is_enrolled(user):
            # Failures stay counted: the password alone must not buy new guesses at the code.
            request.session[_HALF_IN] = {
                "user": user.pk, "remember": remembered, "next": next_path, "at": clock.now().timestamp(),
                "password": user.get_session_auth_hash(),
            }  # fmt: skip
            return redirect("login_code")
        return _let_in(request, user, remembered=remembered, next_path=next_path)
    if not form.is_locked:
        attempts.note_failure(username)
    return render(request, "registration/login.html", {"form": form, "next": next_path}, status=422)


@login_not_required
@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def login_code(request: HttpRequest) -> HttpResponse:
    """The second factor, asked for within five minutes of the right password."""
    half = request.session.get(_HALF_IN)
    user = _half_signed_in(half)
    if user is None or half is None:
        return redirect("login")
    form = CodeForm(request.POST if request.method == "POST" else None)
    if request.method == "GET":
        return render(request, "registration/code.html", {"form": form})
    if attempts.is_locked(user.username):
        form.add_error(None, "This name is locked for 15 minutes after too many failed sign-ins.")
    elif form.is_valid():
        if second_factor.check(user, form.cleaned_data["code"]):
            return _let_in(request, user, remembered=half["remember"], next_path=half["next"])
        attempts.note_failure(user.username)
        form.add_error("code", second_factor.WRONG)
    return render(request, "registration/code.html", {"form": form}, status=422)


def _half_signed_in(half: dict[str, Any] | None) -> User | None:
    if half is None or clock.now().timestamp() - half["at"] > CODE_WAITS_S:
        return None
    user = User.objects.filter(pk=half["user"], is_active=True).first()
    return user if user is not None and user.get_session_auth_hash() == half["password"] else None


def _let_in(request: HttpRequest, user: User, *, remembered: bool, next_path: str) -> HttpResponse:
    attempts.note_success(user.username)
    request.session.pop(_HALF_IN, None)
    sessions.open_session(request, user, is_remembered=remembered)
    return redirect(next_path or "/dashboard")


@require_POST
def logout(request: HttpRequest) -> HttpResponse:
    sessions.close_session(request)
    return redirect("landing")


def local_path(text: str) -> str:
    """`text` when it is a path of this site, else ""."""
    is_path = text.startswith("/") and url_has_allowed_host_and_scheme(text, allowed_hosts=None)
    return text if is_path else ""

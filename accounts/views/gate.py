"""The way in: landing, registration, sign-in, sign-out."""

from __future__ import annotations

from django.contrib.auth import login as start_session
from django.contrib.auth import logout as end_session
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import attempts
from accounts.forms import RegisterForm, SignInForm, take_refusal
from accounts.services.owner import is_registration_open, register_owner
from algomirror.kernel.errors import Conflict, Refused

REMEMBER_S = 30 * 24 * 3600


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
    if not attempts.spend("register", _address(request), limit=attempts.SIGN_INS_A_MINUTE, seconds=60):
        return render(request, "errors/429.html", status=429)
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
            start_session(request, owner)
            return redirect("account_new")
    return render(request, "registration/register.html", {"form": form}, status=422)


@login_not_required
@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    next_path = _local_path(request.POST.get("next") or request.GET.get("next", ""))
    if request.method == "GET":
        if request.user.is_authenticated:
            return redirect(next_path or "/dashboard")
        return render(request, "registration/login.html", {"form": SignInForm(request), "next": next_path})
    if not attempts.spend("signin", _address(request), limit=attempts.SIGN_INS_A_MINUTE, seconds=60):
        return render(request, "errors/429.html", status=429)
    form = SignInForm(request, data=request.POST)
    username = request.POST.get("username", "")[:80]
    if form.is_valid():
        attempts.note_success(username)
        start_session(request, form.get_user())
        request.session.set_expiry(REMEMBER_S if form.cleaned_data["remember"] else 0)
        return redirect(next_path or "/dashboard")
    if not form.is_locked:
        attempts.note_failure(username)
    return render(request, "registration/login.html", {"form": form, "next": next_path}, status=422)


@require_POST
def logout(request: HttpRequest) -> HttpResponse:
    end_session(request)
    return redirect("landing")


def _local_path(text: str) -> str:
    """`text` when it is a path of this site, else ""."""
    is_path = text.startswith("/") and url_has_allowed_host_and_scheme(text, allowed_hosts=None)
    return text if is_path else ""


def _address(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))

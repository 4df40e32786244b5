"""One's own password, second factor and signed-in browsers."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import attempts, qr, totp
from accounts.forms import CodeForm, PasswordForm, take_refusal
from accounts.services import people, second_factor, sessions
from accounts.views.access import user_of
from accounts.views.gate import local_path
from algomirror.kernel.errors import Conflict, Refused


def _profile(request: HttpRequest, **forms: Any) -> dict[str, Any]:
    user = user_of(request)
    return {
        "is_enrolled": second_factor.is_enrolled(user),
        "is_missing": second_factor.is_missing(user),
        "codes_left": second_factor.codes_left(user),
        "sessions": sessions.open_sessions(user),
        "this_session": request.session.session_key,
        "password_form": PasswordForm(auto_id="password_%s"),
        "code_form": CodeForm(auto_id="code_%s"),
        **forms,
    }


@require_GET
@never_cache
def profile(request: HttpRequest) -> HttpResponse:
    return render(request, "accounts/profile.html", _profile(request))


@never_cache
@sensitive_post_parameters()
@require_POST
def password(request: HttpRequest) -> HttpResponse:
    form = PasswordForm(request.POST, auto_id="password_%s")
    user = user_of(request)
    if form.is_valid():
        try:
            people.change_password(user, present=form.cleaned_data["present"], new=form.cleaned_data["new"])
        except Refused as refusal:
            take_refusal(form, refusal)
        else:
            sessions.keep_only_this(request, user)
            messages.success(request, "The password was changed. Every other browser of yours is signed out.")
            return redirect("profile")
    return render(request, "accounts/profile.html", _profile(request, password_form=form), status=422)


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def enrol(request: HttpRequest) -> HttpResponse:
    """GET shows where an enrolment stands; POST makes a secret, a new one each time."""
    user = user_of(request)
    next_path = local_path(request.POST.get("next") or request.GET.get("next", ""))
    if request.method == "POST":
        second_factor.begin(user)
    return render(request, "accounts/second_factor.html", _enrolment(request, next_path, CodeForm()))


def _enrolment(request: HttpRequest, next_path: str, form: CodeForm) -> dict[str, Any]:
    user = user_of(request)
    secret = second_factor.waiting_secret(user)
    shown = {} if secret is None else {"secret": secret, "qr": qr.svg(totp.enrolment_uri(secret, who=user.username))}
    facts = {"is_enrolled": second_factor.is_enrolled(user), "is_missing": second_factor.is_missing(user)}
    return {"form": form, "next": next_path, **facts, **shown}


@never_cache
@sensitive_post_parameters()
@require_POST
def confirm(request: HttpRequest) -> HttpResponse:
    """The right code puts the second factor into force; the recovery codes are shown this once."""
    form = CodeForm(request.POST)
    user = user_of(request)
    next_path = local_path(request.POST.get("next", ""))
    if form.is_valid():
        try:
            codes = second_factor.confirm(user, form.cleaned_data["code"])
        except Conflict:
            raise
        except Refused as refusal:
            take_refusal(form, refusal)
        else:
            # A browser that came in with the password alone has to come in again.
            sessions.end_all(user, by=user, except_key=request.session.session_key)
            return render(request, "accounts/codes.html", {"codes": codes, "next": next_path})
    return render(request, "accounts/second_factor.html", _enrolment(request, next_path, form), status=422)


@never_cache
@sensitive_post_parameters()
@require_POST
def renew_codes(request: HttpRequest) -> HttpResponse:
    form = _guessed(request)
    if form.is_valid():
        try:
            codes = second_factor.renew_codes(user_of(request), form.cleaned_data["code"])
            return render(request, "accounts/codes.html", {"codes": codes})
        except Refused as refusal:
            _wrong(request, form, refusal)
    return render(request, "accounts/profile.html", _profile(request, code_form=form), status=422)


@never_cache
@sensitive_post_parameters()
@require_POST
def remove(request: HttpRequest) -> HttpResponse:
    form = _guessed(request)
    if form.is_valid():
        try:
            second_factor.remove(user_of(request), form.cleaned_data["code"])
            messages.success(request, "The second factor is off.")
            return redirect("profile")
        except Refused as refusal:
            _wrong(request, form, refusal)
    return render(request, "accounts/profile.html", _profile(request, code_form=form), status=422)


def _guessed(request: HttpRequest) -> CodeForm:
    """A code typed by somebody signed in: guessing is counted like guessing at the gate."""
    form = CodeForm(request.POST, auto_id="code_%s")
    if form.is_valid() and attempts.is_locked(user_of(request).username):
        form.add_error(None, "Locked for 15 minutes after too many wrong codes.")
    return form


def _wrong(request: HttpRequest, form: CodeForm, refusal: Refused) -> None:
    if "code" in refusal.fields:
        attempts.note_failure(user_of(request).username)
    take_refusal(form, refusal)


@require_POST
def end_session(request: HttpRequest, session_id: int) -> HttpResponse:
    if not sessions.end_one(user_of(request), session_id):
        raise Http404
    messages.success(request, "That browser is signed out.")
    return redirect("profile")


@require_POST
def end_others(request: HttpRequest) -> HttpResponse:
    user = user_of(request)
    ended = sessions.end_all(user, by=user, except_key=request.session.session_key)
    messages.success(request, f"{ended} other browser(s) signed out.")
    return redirect("profile")

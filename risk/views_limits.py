"""Limits above the run, and the list of risk events with its CSV."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.models import Account, User
from algomirror.ops import sight
from risk import pages_limits as page
from risk.forms_limits import AccountLimitsForm, EventsFilter, GroupLimitsForm
from risk.services import daily, grouped


def _user(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def _context(request: HttpRequest, **more: Any) -> dict[str, Any]:
    user = _user(request)
    return {"may_trade": user.may_trade, "may_release": user.is_owner, **more}


@require_safe
def limits(request: HttpRequest) -> HttpResponse:
    return render(request, "risk/limits.html", _context(request, **page.limits_page(chosen=request.GET.get("of", page.PLATFORM))))


@require_safe
def limits_body(request: HttpRequest) -> HttpResponse:
    return render(request, "risk/_used.html", _context(request, **page.limits_page()))


@require_POST
def set_platform_limits(request: HttpRequest) -> HttpResponse:
    return _set(request, None)


@require_POST
def set_account_limits(request: HttpRequest, scope: int) -> HttpResponse:
    account = Account.objects.filter(pk=scope, archived_at=None).first()
    if account is None:
        raise Http404
    return _set(request, account)


@require_POST
def set_group_limits(request: HttpRequest, scope: int) -> HttpResponse:
    user = _user(request)
    if not user.may_trade:
        raise PermissionDenied
    if grouped.accounts_of(scope) is None:
        raise Http404
    form = GroupLimitsForm(request.POST)
    if not form.is_valid():
        return _refused(request, page.group_scope(scope), form)
    return _said(request, grouped.set_limits(scope, form.cleaned_data, by=f"user:{user.username}"))


def _set(request: HttpRequest, account: Account | None) -> HttpResponse:
    """Other limits for one account or for all together; 422 with the form when refused."""
    user = _user(request)
    if not user.may_trade or (account is None and sight.is_limited()):
        raise PermissionDenied
    form = AccountLimitsForm(request.POST)
    if not form.is_valid():
        return _refused(request, page.PLATFORM if account is None else str(account.pk), form)
    return _said(request, daily.set_limits(account, form.cleaned_data, by=f"user:{user.username}"))


def _refused(request: HttpRequest, scope: str, form: AccountLimitsForm | GroupLimitsForm) -> HttpResponse:
    return render(request, "risk/limits.html", _context(request, **page.limits_page({scope: form})), status=422)


def _said(request: HttpRequest, changed: bool) -> HttpResponse:
    messages.info(request, "Limits changed." if changed else "Nothing changed.")
    return redirect("risk-limits")


@require_POST
def unlock(request: HttpRequest, pk: int) -> HttpResponse:
    user = _user(request)
    if not user.is_owner:
        raise PermissionDenied
    done = daily.release(pk, user=user, why=request.POST.get("reason", ""))
    messages.info(request, "Released." if done else "It had ended already.")
    return redirect("risk-limits")


@require_safe
def events(request: HttpRequest) -> HttpResponse:
    form = EventsFilter(request.GET)
    asked = form.cleaned_data if form.is_valid() else {}
    context = {"filter": form, "events": list(page.events(asked)[: page.EVENTS_SHOWN]), "query": request.GET.urlencode()}
    template = "risk/_events_page.html" if request.headers.get("HX-Request") == "true" else "risk/events.html"
    return render(request, template, context)


@require_safe
def events_csv(request: HttpRequest) -> HttpResponseBase:
    form = EventsFilter(request.GET)
    asked = form.cleaned_data if form.is_valid() else {}
    answer = StreamingHttpResponse(page.events_csv(page.events(asked)), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="risk-events.csv"'
    return answer
